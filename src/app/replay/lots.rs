//! Which letters are sent again, and in which lots: what they hold first, objects to be read again last.

use super::ReplayError;
use crate::output::Source;
use crate::output::parking::{FOLDER, Key, Letter, LetterId, Letters, Marks, Stands};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Letters of one lot, and bytes of their records.
const LOT: usize = 500;
const LOT_BYTES: usize = 8 << 20;
/// Objects that are read again at a time.
const OBJECTS: usize = 4;

/// What the user chose. Each condition must hold; replayed letters are never taken.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// These alone, if any are named.
    pub ids: BTreeSet<LetterId>,
    /// Letters with one of these codes alone, if any are named.
    pub codes: BTreeSet<String>,
}

impl Wanted {
    fn takes(&self, id: LetterId, letter: &Letter, marks: &Marks) -> bool {
        (self.ids.is_empty() || self.ids.contains(&id))
            && (self.codes.is_empty() || self.codes.contains(&letter.code))
            && !marks.contains(id)
    }
}

/// What a replay would do, by code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Planned {
    pub letters: u64,
    /// Named, but replayed before.
    pub replayed_before: u64,
    pub by_code: BTreeMap<String, PlannedCode>,
}

/// Letters of one code by the way in which they go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlannedCode {
    /// Sent as they are, with the `_id` they had.
    pub documents: u64,
    /// Mapped anew from their text.
    pub records: u64,
    /// Whose object is read again.
    pub objects: u64,
    /// Messages that are read again.
    pub messages: u64,
}

/// What a replay of the dead letter in the folder `data` (`path.data`) would do. Changes nothing.
///
/// # Errors
/// The files cannot be read, or a letter that is named is not there.
pub fn plan(data: &Path, wanted: &Wanted) -> Result<Planned, ReplayError> {
    let folder = data.join(FOLDER);
    let survey = Survey::take(&folder, wanted, &Marks::load(&folder)?)?;
    if !survey.missing.is_empty() {
        return Err(ReplayError::Missing(survey.missing));
    }
    Ok(Planned { letters: survey.letters, replayed_before: survey.replayed_before, by_code: survey.by_code })
}

/// What a first look at all letters tells.
pub(super) struct Survey {
    /// Letters that are wanted.
    pub letters: u64,
    pub replayed_before: u64,
    /// Subjects of all letters that are not replayed, wanted or not.
    pub keys: HashSet<Key>,
    /// Inputs that wanted letters need.
    pub inputs: HashSet<String>,
    /// Letters that are named but not there.
    pub missing: Vec<LetterId>,
    by_code: BTreeMap<String, PlannedCode>,
}

impl Survey {
    pub(super) fn take(folder: &Path, wanted: &Wanted, marks: &Marks) -> Result<Survey, ReplayError> {
        let mut survey = Survey {
            letters: 0,
            replayed_before: 0,
            keys: HashSet::new(),
            inputs: HashSet::new(),
            missing: Vec::new(),
            by_code: BTreeMap::new(),
        };
        let mut missing = wanted.ids.clone();
        for entry in Letters::all(folder).map_err(ReplayError::Read)? {
            let entry = entry.map_err(ReplayError::Read)?;
            // A line that is no letter cannot be sent; `list` shows it.
            let Ok(letter) = entry.letter else { continue };
            missing.remove(&entry.id);
            if marks.contains(entry.id) {
                survey.replayed_before += u64::from(wanted.ids.contains(&entry.id));
                continue;
            }
            survey.keys.extend(letter.keys());
            if wanted.takes(entry.id, &letter, marks) {
                survey.count(letter);
            }
        }
        survey.missing = missing.into_iter().collect();
        Ok(survey)
    }

    fn count(&mut self, letter: Letter) {
        self.letters += 1;
        let by_code = self.by_code.entry(letter.code.clone()).or_default();
        match letter.stands() {
            Stands::Document => by_code.documents += 1,
            Stands::Record => by_code.records += 1,
            Stands::Object => by_code.objects += 1,
            Stands::Message => by_code.messages += 1,
        }
        if letter.stands() != Stands::Document {
            self.inputs.insert(letter.source.input);
        }
    }
}

/// Letters that are sent, awaited and marked together.
pub(super) enum Lot {
    /// Those that hold what they stand for.
    Held(Vec<(LetterId, Letter)>),
    /// Objects to be read again, each with all its letters, without their records.
    Objects(Vec<(Source, Vec<(LetterId, Letter)>)>),
}

impl Lot {
    pub(super) fn letters(&self) -> impl Iterator<Item = &(LetterId, Letter)> {
        let (held, objects): (&[_], &[_]) = match self {
            Lot::Held(letters) => (letters, &[]),
            Lot::Objects(objects) => (&[], objects),
        };
        held.iter().chain(objects.iter().flat_map(|(_, letters)| letters))
    }
}

/// Reads the wanted letters on a thread of its own. Objects come last, each once; letters about them are small.
pub(super) fn feed(folder: PathBuf, wanted: Wanted, marks: &Arc<Mutex<Marks>>) -> mpsc::Receiver<io::Result<Lot>> {
    let (lots, receiver) = mpsc::channel(1);
    let marks = Arc::clone(marks);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read(&folder, &wanted, &marks, &lots) {
            let _ = lots.blocking_send(Err(error));
        }
    });
    receiver
}

fn read(folder: &Path, wanted: &Wanted, marks: &Mutex<Marks>, lots: &mpsc::Sender<io::Result<Lot>>) -> io::Result<()> {
    let mut objects: BTreeMap<Source, Vec<(LetterId, Letter)>> = BTreeMap::new();
    let (mut held, mut bytes) = (Vec::new(), 0);
    for entry in Letters::all(folder)? {
        let entry = entry?;
        let Ok(mut letter) = entry.letter else { continue };
        // Marks of this replay are behind: a letter is read once.
        if !wanted.takes(entry.id, &letter, &marks.lock().unwrap_or_else(PoisonError::into_inner)) {
            continue;
        }
        if letter.stands() == Stands::Object {
            letter.record = Vec::new();
            objects.entry(letter.source.clone()).or_default().push((entry.id, letter));
            continue;
        }
        bytes += letter.record.len();
        held.push((entry.id, letter));
        if held.len() >= LOT || bytes >= LOT_BYTES {
            bytes = 0;
            if lots.blocking_send(Ok(Lot::Held(std::mem::take(&mut held)))).is_err() {
                return Ok(());
            }
        }
    }
    if !held.is_empty() && lots.blocking_send(Ok(Lot::Held(held))).is_err() {
        return Ok(());
    }
    let mut objects = objects.into_iter().peekable();
    while objects.peek().is_some() {
        let some = objects.by_ref().take(OBJECTS).collect();
        if lots.blocking_send(Ok(Lot::Objects(some))).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::output::parking::{Parked, Parking};

    /// A dead letter with two documents, a broken record, two letters about one object, and one about each of five more.
    fn written(data: &Path) {
        let parking = Parking::open(&data.join(FOLDER)).unwrap();
        let of = |object: String| Source { input: "i".into(), object, ..Source::default() };
        let park = |source: &Source, code, id, record: &[u8]| {
            parking
                .park(&[Parked { code, reason: String::new(), status: None, source, offset: Some(1), id, record }])
                .unwrap();
        };
        park(&of("a".into()), "mapping-refused", Some("k1"), b"{}");
        park(&of("a".into()), "corrupt-object", None, b"{");
        park(&of("b".into()), "mapping-refused", Some("k2"), b"{}");
        park(&of("b".into()), "broken-record", None, b"{\"a\":tru}");
        park(&of("a".into()), "too-large", None, b"{");
        (0..5).for_each(|n| park(&of(format!("o{n}")), "object-limit", None, b""));
    }

    fn wanted(ids: &[&str], codes: &[&str]) -> Wanted {
        Wanted {
            ids: ids.iter().map(|id| id.parse().unwrap()).collect(),
            codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        }
    }

    #[test]
    fn a_plan_counts_by_code_and_way() {
        let data = tempfile::tempdir().unwrap();
        written(data.path());
        let all = plan(data.path(), &Wanted::default()).unwrap();
        let of = |code: &str| all.by_code.get(code).map(|n| (n.documents, n.records, n.objects));
        assert_eq!((all.letters, of("mapping-refused"), of("too-large")), (10, Some((2, 0, 0)), Some((0, 0, 1))));
        assert_eq!((of("broken-record"), of("object-limit")), (Some((0, 1, 0)), Some((0, 0, 5))));
        assert_eq!(plan(data.path(), &wanted(&["1-1", "1-2"], &["mapping-refused"])).unwrap().letters, 1);
        let fault = plan(data.path(), &wanted(&["1-1", "1-11", "2-1"], &[])).unwrap_err().to_string();
        assert!(fault.starts_with("there is no letter `1-11`, `2-1`:"), "{fault}");
        let mut marks = Marks::of_data(data.path()).unwrap();
        marks.add(["1-1".parse().unwrap()]);
        marks.save().unwrap();
        let rest = plan(data.path(), &wanted(&["1-1", "1-3"], &[])).unwrap();
        assert_eq!((rest.letters, rest.replayed_before), (1, 1));
    }

    #[tokio::test]
    async fn objects_come_last_each_once_and_few_at_a_time() {
        let data = tempfile::tempdir().unwrap();
        written(data.path());
        let marks = Arc::new(Mutex::new(Marks::of_data(data.path()).unwrap()));
        let mut lots = feed(data.path().join(FOLDER), Wanted::default(), &marks);
        let mut told = Vec::new();
        while let Some(lot) = lots.recv().await {
            let lot = lot.unwrap();
            let ids: Vec<String> = lot.letters().map(|(id, _)| id.to_string()).collect();
            let objects = if let Lot::Objects(objects) = &lot { objects.len() } else { 0 };
            told.push((objects, ids.join(" ")));
        }
        let expected = [(0, "1-1 1-3 1-4"), (4, "1-2 1-5 1-6 1-7 1-8"), (2, "1-9 1-10")];
        assert_eq!(told, expected.map(|(objects, ids)| (objects, ids.to_owned())));
    }
}
