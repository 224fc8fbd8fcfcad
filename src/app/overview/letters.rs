//! What lies in the dead letter, by code: how much, and since when.

use crate::output::parking::{FOLDER, Letters, Marks};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Letters of one code that were not replayed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LettersOfCode {
    pub letters: u64,
    /// When the first and the last of them were parked; none for lines that are no letters.
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
}

/// Code of lines that are no letters.
const UNREADABLE: &str = "unreadable";

/// Counts the letters in the folder `data` (`path.data`).
///
/// # Errors
/// The files cannot be read.
pub(super) async fn read(data: &Path) -> Result<BTreeMap<String, LettersOfCode>, String> {
    let folder = data.join(FOLDER);
    let counted = tokio::task::spawn_blocking(move || count(&folder)).await;
    counted.map_err(|fault| format!("a fault inside trailship: {fault}"))?
}

fn count(folder: &Path) -> Result<BTreeMap<String, LettersOfCode>, String> {
    let unread = |error: std::io::Error| format!("cannot read the dead letter: {error}");
    let marks = Marks::load(folder).map_err(|error| error.to_string())?;
    let mut by_code: BTreeMap<String, LettersOfCode> = BTreeMap::new();
    for entry in Letters::all(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        if marks.contains(entry.id) {
            continue;
        }
        let (code, parked) = match entry.letter {
            Ok(letter) => (letter.code, Some(letter.parked)),
            Err(_) => (UNREADABLE.to_owned(), None),
        };
        let of_code = by_code.entry(code).or_default();
        of_code.letters += 1;
        of_code.oldest = [of_code.oldest, parked].into_iter().flatten().min();
        of_code.newest = of_code.newest.max(parked);
    }
    Ok(by_code)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn letters_are_counted_by_code_without_those_that_were_replayed() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(read(data.path()).await.unwrap(), BTreeMap::new());
        let folder = data.path().join(FOLDER);
        std::fs::create_dir_all(&folder).unwrap();
        let line = |day: u8, code: &str| {
            format!(
                r#"{{"@timestamp":"2026-01-{day:02}T03:04:05Z","version":1,"code":"{code}","reason":"","input":"i","object":"o"}}"#
            ) + "\n"
        };
        let text = [line(2, "too-large"), line(4, "too-large"), line(3, "too-large"), line(1, "too-large")].concat();
        std::fs::write(folder.join("parked-v1-000001.ndjson"), text + &line(5, "broken-record") + "no letter\n")
            .unwrap();
        let mut marks = Marks::of_data(data.path()).unwrap();
        marks.add(["1-4".parse().unwrap()]);
        marks.save().unwrap();
        let time = |day: u8| format!("2026-01-{day:02}T03:04:05Z").parse::<Timestamp>().ok();
        let expected = [
            ("broken-record", LettersOfCode { letters: 1, oldest: time(5), newest: time(5) }),
            ("too-large", LettersOfCode { letters: 3, oldest: time(2), newest: time(4) }),
            (UNREADABLE, LettersOfCode { letters: 1, oldest: None, newest: None }),
        ];
        let expected: BTreeMap<String, LettersOfCode> =
            expected.into_iter().map(|(code, letters)| (code.to_owned(), letters)).collect();
        assert_eq!(read(data.path()).await.unwrap(), expected);
    }
}
