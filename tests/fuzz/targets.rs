//! What must hold for any bytes, reader by reader. That none panics and each comes to an end goes without saying.

use serde_json::Value;
use std::sync::Arc;
use trailship::ecs::{ENTITIES_TAG, Mapper, Origin, Position, Settings, Timestamp};
use trailship::record::inflate::{Inflate, InflateFault, InflateLimits};
use trailship::record::log_event;
use trailship::record::notification::{self, MAX_OBJECTS, Notification};
use trailship::record::split::{Piece, Splitter};
use trailship::record::trail_key::TrailKey;

/// One record, one document: JSON, the same every time, with every fault said.
pub fn record(text: &[u8]) {
    let settings = Settings { tags: vec![ENTITIES_TAG.to_owned()], repair: true, ..Settings::default() };
    let mut mapper = Mapper::new(Arc::new(settings));
    let origin = Origin::default();
    let mut write = || {
        let mut out = Vec::new();
        mapper.map_line(text, Position::new(&origin, 0), Timestamp::from_unix_millis(0)).write(&mut out);
        out
    };
    let first = write();
    serde_json::from_slice::<serde::de::IgnoredAny>(&first).expect("a document is JSON");
    // Fails for a number that no double holds, which is JSON all the same.
    let Ok(document) = serde_json::from_slice::<Value>(&first) else { return };
    assert!(document["@timestamp"].is_string(), "{document}");
    assert_eq!(document["event"]["kind"] == "pipeline_error", document["error"]["message"].is_array(), "{document}");
    assert_eq!(write(), first, "the same record gives the same document");
}

const LIMITS: InflateLimits = InflateLimits { bytes: 1 << 20, ratio: 200 };

/// One object: the same pieces whatever the chunks it comes in, none over the limits.
pub fn object(bytes: &[u8]) {
    let whole = pieces(bytes, usize::MAX);
    for chunk in [1, 7, 64] {
        let found = pieces(bytes, chunk);
        // Where a limit ends the reading, the chunks decide how far it came.
        if whole.1 != End::Limit && found.1 != End::Limit {
            assert_eq!(found, whole, "in chunks of {chunk}");
        }
    }
}

/// How a reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Limit,
    Fault,
}

/// Pieces of an object that is read in chunks, and how it ended.
fn pieces(bytes: &[u8], chunk: usize) -> (Vec<(u64, Vec<u8>)>, End) {
    const RECORD: usize = 4 << 10;
    let (mut inflate, mut splitter) = (Inflate::new(LIMITS), Splitter::new(RECORD, false));
    let (mut found, mut inflated) = (Vec::new(), 0u64);
    let mut window = |text: &[u8]| -> Result<(), End> {
        inflated += text.len() as u64;
        assert!(inflated <= LIMITS.bytes, "more is inflated than the limit allows");
        let split = splitter.push(text, &mut |piece| match piece {
            Piece::Record { offset, text } | Piece::LogEvents { offset, text } => {
                assert!(text.len() <= RECORD, "a record of {} bytes", text.len());
                let _ = log_event::payload(text);
                found.push((offset, text.to_vec()));
            }
            Piece::Oversized { offset, head, length } => {
                assert!(head.len() as u64 <= length);
                found.push((offset, length.to_be_bytes().to_vec()));
            }
        });
        split.map_err(|_| End::Fault)
    };
    let mut ended = bytes.chunks(chunk.min(bytes.len().max(1))).try_for_each(|chunk| inflate.push(chunk, &mut window));
    if ended.is_ok() {
        ended = inflate.finish(&mut window);
    }
    let ended = ended.and_then(|()| splitter.finish().map_err(|_| End::Fault));
    (found, ended.err().unwrap_or(End::Whole))
}

impl From<InflateFault> for End {
    fn from(fault: InflateFault) -> End {
        match fault {
            InflateFault::TooLarge { .. } | InflateFault::Ratio { .. } => End::Limit,
            _ => End::Fault,
        }
    }
}

/// One message: bounded, and a fault says what to do.
pub fn notification(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    match notification::read(&text) {
        Ok(Notification::Objects { objects, .. }) => assert!(objects.len() <= MAX_OBJECTS),
        Ok(_) => {}
        Err(unknown) => assert!(!unknown.code().is_empty() && !unknown.advice().is_empty()),
    }
}

/// One object key.
pub fn key(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Some(key) = TrailKey::parse(&text) {
        assert!(!format!("{key:?}").is_empty());
    }
}

/// One configuration file: what is wrong has a place in it.
pub fn config(text: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    // YAML ends lines at a lone carriage return, too.
    let lines = text.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
    let environment = |name: &str| (name == "A").then(|| "b: [1]".to_owned());
    let faults = match trailship::config::load(&[file.path().to_owned()], &[], &environment) {
        Err(faults) => faults,
        Ok(mut config) => {
            let command_line = trailship::app::CommandLine::default();
            let _ = trailship::app::read(&mut config, &command_line);
            let Err(faults) = config.finish() else { return };
            faults
        }
    };
    let path = file.path().display().to_string();
    for fault in faults.0 {
        let said = fault.to_string();
        let Some(rest) = said.strip_prefix(&format!("{path}:")) else { continue };
        let line: usize = rest.split(':').next().and_then(|line| line.parse().ok()).unwrap_or(1);
        // The end of a file without line end is told as the line behind it.
        assert!(line <= lines + 1, "line {line} of {lines}: {said}");
    }
}

/// One state file: understood, or refused with its path.
pub fn state(text: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    std::fs::write(&path, text).unwrap();
    match trailship::state::load::<Value>(&path, 1) {
        Ok(_) => {}
        Err(refused) => assert!(refused.to_string().contains("state.json"), "{refused}"),
    }
    assert_eq!(std::fs::read(&path).unwrap(), text, "reading changes nothing");
}
