//! Reading the store from another process, without stopping the one that has it open.
//!
//! When no process has the store, it is read directly. Else the reader leaves a question in the folder `integrity.ask` of
//! `path.data`, and the running process writes the answer beside it, from one consistent state. Questions are looked for
//! once a second; one that nobody waits for any more is removed.

use super::store::{Question, Store, StoreError, View};
use crate::state::{self, StateError};
use jiff::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Folder of questions and answers, in `path.data`.
pub const FOLDER: &str = "integrity.ask";
const VERSION: u64 = 1;
/// How long an answer is awaited; a running process looks for questions once a second.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
/// Questions and answers of this age are nobody's.
const STALE: Duration = Duration::from_secs(300);
/// Bytes of a question, at most.
const QUESTION: u64 = 4096;

/// Why the store could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(
        "the trailship that runs with `{}` did not answer within {} s; see its log, or stop it and try again",
        data.display(), PATIENCE.as_secs()
    )]
    Silent { data: PathBuf },
}

/// What is known of the hours that are asked for, by the store in the folder `data`; `None` when there is no store. Blocks, up
/// to half a minute.
///
/// # Errors
/// [`ViewError`].
pub fn take(data: &Path, now: Timestamp, asked: Question) -> Result<Option<View>, ViewError> {
    match Store::view_alone(data, now, asked) {
        Err(StoreError::Busy { .. }) => ask(data, now, asked),
        viewed => Ok(viewed?),
    }
}

/// Answers the questions that were left in the folder `data`. Blocks.
///
/// # Errors
/// [`ViewError`]: the store cannot be read, or an answer not be written.
pub fn answer(store: &Store, data: &Path, now: Timestamp) -> Result<(), ViewError> {
    // Mostly there is no such folder, which costs one call.
    let Ok(entries) = fs::read_dir(data.join(FOLDER)) else { return Ok(()) };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if is_stale(&path) {
            let _ = fs::remove_file(&path);
        } else if path.extension().is_some_and(|extension| extension == "question") {
            let question = read(&path);
            // Removed first: what cannot be answered is not tried again and again.
            let _ = fs::remove_file(&path);
            if let Some(question) = question {
                let view = store.view(now, question)?;
                state::save(&path.with_extension("answer"), VERSION, &view)?;
            }
        }
    }
    Ok(())
}

fn ask(data: &Path, now: Timestamp, question: Question) -> Result<Option<View>, ViewError> {
    let folder = data.join(FOLDER);
    let own = folder.join(format!("{}-{}.question", std::process::id(), now.as_nanosecond()));
    let answer = own.with_extension("answer");
    state::save(&own, VERSION, &question)?;
    let asked = Instant::now();
    let answered = loop {
        if let Some(view) = state::load(&answer, VERSION)? {
            break Ok(Some(view));
        }
        // It may have ended meanwhile.
        match Store::view_alone(data, now, question) {
            Err(StoreError::Busy { .. }) => {}
            viewed => break viewed.map_err(ViewError::from),
        }
        if asked.elapsed() > PATIENCE {
            break Err(ViewError::Silent { data: data.to_owned() });
        }
        std::thread::sleep(PAUSE);
    };
    let _ = (fs::remove_file(&own), fs::remove_file(&answer), fs::remove_dir(&folder));
    answered
}

fn read(path: &Path) -> Option<Question> {
    let is_small = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= QUESTION);
    is_small.then(|| state::load(path, VERSION).ok().flatten()).flatten()
}

fn is_stale(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age > STALE))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::integrity::ledger::tests::{at, file};
    use crate::integrity::model::{FileState, Place};

    const KEY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/111122223333_CloudTrail_us-east-1_20260301T0310Z_AbCdEfGhIjKlMnOp.json.gz";

    fn filled(data: &Path) -> Store {
        let store = Store::new(data);
        let failed = FileState { notified: true, failed: Some("too-large".to_owned()), ..file(KEY) };
        store.write(at("03:12:00"), |tx| tx.put_file(&Place::of(KEY).unwrap(), None, &failed)).unwrap();
        store
    }

    fn asked() -> Question {
        Question { from: at("03:00:00"), to: at("04:00:00"), whole: false }
    }

    fn taken(data: &Path) -> View {
        take(data, at("09:00:00"), asked()).unwrap().unwrap()
    }

    #[test]
    fn the_same_alone_and_beside_a_running_process() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert!(take(data, at("09:00:00"), asked()).unwrap().is_none());
        drop(filled(data));
        let alone = taken(data);
        assert_eq!((alone.hours.len(), alone.files.len(), alone.hours[0].failed), (1, 1, 1));
        let running = Store::new(data);
        running.write(at("03:13:00"), |_| Ok(())).unwrap();
        let beside = std::thread::scope(|scope| {
            let asked = scope.spawn(|| taken(data));
            while !asked.is_finished() {
                answer(&running, data, at("09:00:00")).unwrap();
                std::thread::yield_now();
            }
            asked.join().unwrap()
        });
        assert_eq!(beside, alone);
        assert!(!data.join(FOLDER).exists(), "nothing is left behind");
    }

    #[test]
    fn a_question_that_cannot_be_read_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path());
        let asked = folder.path().join(FOLDER);
        fs::create_dir(&asked).unwrap();
        fs::write(asked.join("1-1.question"), "?").unwrap();
        fs::write(asked.join("2-2.question"), vec![b' '; 1 << 20]).unwrap();
        answer(&store, folder.path(), at("09:00:00")).unwrap();
        assert_eq!(fs::read_dir(&asked).unwrap().count(), 0);
    }
}
