//! Which letters were sent again and went well, durably: `replayed.json` beside the letters.
//!
//! A mark is set after the record behind it has its outcome; a crash in between sends it again, which is a duplicate.

use super::{FOLDER, LetterId};
use crate::state::{self, StateError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const VERSION: u64 = 1;

/// The marks of one folder.
#[derive(Debug)]
pub struct Marks {
    path: PathBuf,
    saved: Saved,
}

/// Lines by file, as runs: first and last.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved {
    files: BTreeMap<u64, Vec<(u64, u64)>>,
}

impl Marks {
    /// Reads the marks of the dead letter in `folder`; none where there are none.
    ///
    /// # Errors
    /// [`StateError`] when they are damaged or unreadable.
    pub fn load(folder: &Path) -> Result<Marks, StateError> {
        let path = folder.join("replayed.json");
        let saved = state::load(&path, VERSION)?.unwrap_or_default();
        Ok(Marks { path, saved })
    }

    /// The marks of the dead letter in the folder `data` (`path.data`).
    ///
    /// # Errors
    /// As [`load`](Marks::load).
    pub fn of_data(data: &Path) -> Result<Marks, StateError> {
        Marks::load(&data.join(FOLDER))
    }

    pub fn contains(&self, id: LetterId) -> bool {
        let Some(runs) = self.saved.files.get(&id.file) else { return false };
        let after = runs.partition_point(|(first, _)| *first <= id.line);
        after.checked_sub(1).and_then(|at| runs.get(at)).is_some_and(|(_, last)| id.line <= *last)
    }

    /// Marks letters; [`save`](Marks::save) makes it durable.
    pub fn add(&mut self, ids: impl IntoIterator<Item = LetterId>) {
        let mut touched = BTreeMap::<u64, Vec<(u64, u64)>>::new();
        for id in ids {
            touched.entry(id.file).or_default().push((id.line, id.line));
        }
        for (file, fresh) in touched {
            let runs = self.saved.files.entry(file).or_default();
            runs.extend(fresh);
            runs.sort_unstable();
            let mut joined: Vec<(u64, u64)> = Vec::with_capacity(runs.len());
            for (first, last) in runs.drain(..) {
                match joined.last_mut() {
                    Some(run) if first <= run.1.saturating_add(1) => run.1 = run.1.max(last),
                    _ => joined.push((first, last)),
                }
            }
            *runs = joined;
        }
    }

    /// Forgets the marks of files that `is_there` does not know.
    pub fn keep_files(&mut self, is_there: impl Fn(u64) -> bool) {
        self.saved.files.retain(|file, _| is_there(*file));
    }

    /// Writes the marks. Blocks.
    ///
    /// # Errors
    /// [`StateError::Io`]; those of before are then still there.
    pub fn save(&self) -> Result<(), StateError> {
        state::save(&self.path, VERSION, &self.saved)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn id(file: u64, line: u64) -> LetterId {
        LetterId { file, line }
    }

    #[test]
    fn marks_outlast_the_process_and_not_their_files() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join(FOLDER);
        let mut marks = Marks::load(&folder).unwrap();
        marks.add([id(1, 3), id(1, 2), id(7, 1)]);
        marks.save().unwrap();
        let mut marks = Marks::of_data(data.path()).unwrap();
        assert_eq!(
            [id(1, 1), id(1, 2), id(1, 3), id(1, 4), id(7, 1), id(2, 1)].map(|id| marks.contains(id)),
            [false, true, true, false, true, false]
        );
        marks.keep_files(|file| file != 1);
        assert!(!marks.contains(id(1, 2)) && marks.contains(id(7, 1)));
        std::fs::write(folder.join("replayed.json"), "{").unwrap();
        assert!(matches!(Marks::load(&folder), Err(StateError::Damaged { .. })));
    }

    proptest! {
        #[test]
        fn runs_hold_exactly_what_was_added(lots in prop::collection::vec(prop::collection::vec((1u64..4, 1u64..30), 0..20), 0..6)) {
            let folder = tempfile::tempdir().unwrap();
            let mut marks = Marks::load(folder.path()).unwrap();
            let mut expected = BTreeSet::new();
            for lot in lots {
                marks.add(lot.iter().map(|(file, line)| id(*file, *line)));
                expected.extend(lot);
            }
            for file in 1..4 {
                for line in 1..31 {
                    prop_assert_eq!(marks.contains(id(file, line)), expected.contains(&(file, line)));
                }
                let runs = marks.saved.files.get(&file).cloned().unwrap_or_default();
                prop_assert!(runs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            }
        }
    }
}
