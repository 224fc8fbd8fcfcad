//! `trailship map`: decodes and maps on this machine, to standard output. Nothing is shipped and nothing remembered.

mod explain;
mod read;

use crate::cli::Failure;
use crate::cli::args::MapArgs;
use crate::ecs::{Broken, Mapper, Origin, Places, Position, Retain, Settings, Timestamp};
use crate::geoip::{Databases, GeoipConfig};
use crate::record::json::{Error, ErrorKind};
use crate::visible;
use anyhow::Context as _;
use read::{Lines, RECORD, Records, Step, files};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub fn map(args: &MapArgs, out: &mut dyn Write, notes: &mut dyn Write) -> Result<(), Failure> {
    let now = match &args.now {
        Some(text) => Timestamp::parse(text)
            .ok_or_else(|| Failure::usage(format!("`--now {text}` is not a time such as 2026-01-02T03:04:05Z")))?,
        None => Timestamp::now(),
    };
    // What goes to an index is as `run` would send it; anything else shows what the mapping makes.
    let mut settings =
        Settings { repair: args.bulk, read_at: args.now.clone(), places: places(args)?, ..Settings::default() };
    if !args.tags.is_empty() {
        settings.set_tags(args.tags.clone());
    }
    if let Some(mode) = &args.retain {
        settings.retain = Retain::parse(mode).ok_or_else(|| {
            Failure::usage(format!("`--retain {mode}` is none of all, flattened, keyword, minimal, none"))
        })?;
    }
    let mut mapper = Mapper::new(Arc::new(settings));
    let standard_input = [PathBuf::from("-")];
    let paths = if args.paths.is_empty() { &standard_input[..] } else { &args.paths };
    if let Some(id) = &args.explain {
        return explain::explain(id, paths, args.lines, &mut mapper, now, out);
    }
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let mut broken = 0;
    for path in paths {
        if args.lines {
            lines(path, &mut mapper, now, &mut out)?;
        } else {
            let files = files(path)?;
            if files.is_empty() {
                note(notes, &format!("{}: holds no file that looks like one of a trail", path.display()))?;
            }
            for file in files {
                broken += objects(&file, &mut mapper, now, args.bulk, &mut out, notes)?;
            }
        }
    }
    out.flush().context("cannot write the documents")?;
    if broken > 0 {
        return Err(Failure::work(format!("{broken} records or files could not be mapped")));
    }
    Ok(())
}

/// Where addresses are looked up; nowhere without a file.
fn places(args: &MapArgs) -> Result<Option<Arc<dyn Places>>, Failure> {
    let MapArgs { city_database, asn_database, .. } = args;
    let config = GeoipConfig { city_database: city_database.clone(), asn_database: asn_database.clone() };
    let databases = Databases::open(&config).map_err(|(_, error)| Failure::usage(error.to_string()))?;
    Ok(databases.map(|databases| Arc::new(databases) as Arc<dyn Places>))
}

/// One document for every line, whatever it holds.
fn lines(path: &Path, mapper: &mut Mapper, now: Timestamp, out: &mut impl Write) -> Result<(), Failure> {
    let mut lines = Lines::open(path)?;
    let origin = Origin::default();
    let mut document = Vec::new();
    while let Some((offset, text)) = lines.next()? {
        let at = Position::new(&origin, offset);
        document.clear();
        match text.get(..RECORD).filter(|head| head.len() < text.len()) {
            None => mapper.map_line(text, at, now).write(&mut document),
            Some(head) => {
                let kind = ErrorKind::Syntax("the line goes on, more than 10 MiB");
                let broken = Broken::from(Error { kind, at: RECORD });
                mapper.fault_document(head, at, now, &broken).write(&mut document);
            }
        }
        document.push(b'\n');
        write(out, &document)?;
    }
    Ok(())
}

/// Maps one file; answers how many of its records, or the file itself, could not be. Each is noted as it comes.
fn objects(
    path: &Path,
    mapper: &mut Mapper,
    now: Timestamp,
    bulk: bool,
    out: &mut impl Write,
    notes: &mut dyn Write,
) -> Result<u64, Failure> {
    let mut records = Records::open(path)?;
    let name = records.name().to_owned();
    let (mut document, mut broken, mut number) = (Vec::new(), 0u64, 0u64);
    loop {
        let step = records.step(&mut |at, text| {
            number += 1;
            let fault = match text {
                Err(length) => format!("{length} bytes are too many"),
                Ok(text) => match mapper.map(text, at, now) {
                    Err(fault) => fault.to_string(),
                    Ok(mapped) => {
                        document.clear();
                        if bulk {
                            document.extend_from_slice(b"{\"create\":{\"_id\":\"");
                            document.extend_from_slice(mapped.id().as_bytes());
                            document.extend_from_slice(b"\"}}\n");
                        }
                        mapped.write(&mut document);
                        document.push(b'\n');
                        return write(out, &document);
                    }
                },
            };
            broken += 1;
            note(notes, &format!("{name}: record {number} at byte {}: {fault}", at.offset))
        })?;
        match step {
            Step::More => {}
            Step::End => return Ok(broken),
            Step::Unreadable(why) => {
                note(notes, &format!("{name}: {why}"))?;
                return Ok(broken + 1);
            }
        }
    }
}

/// The same JSON, without what a terminal would obey.
fn write(out: &mut impl Write, document: &[u8]) -> Result<(), Failure> {
    let text = visible::json(&String::from_utf8_lossy(document));
    Ok(out.write_all(text.as_bytes()).context("cannot write the documents")?)
}

fn note(notes: &mut dyn Write, text: &str) -> Result<(), Failure> {
    Ok(writeln!(notes, "{}", visible::line(text)).context("cannot write to standard error")?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::io;

    fn arguments(path: &Path, lines: bool) -> MapArgs {
        MapArgs {
            paths: vec![path.to_owned()],
            lines,
            bulk: false,
            now: Some("2026-01-02T03:04:05Z".to_owned()),
            tags: Vec::new(),
            retain: None,
            explain: None,
            city_database: None,
            asn_database: None,
        }
    }

    /// Maps `path`: how it ended, the documents, the notes.
    fn mapped(path: &Path, lines: bool) -> (Result<(), Failure>, Vec<Value>, String) {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let ended = map(&arguments(path, lines), &mut out, &mut notes);
        let documents = out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let documents = documents.map(|line| serde_json::from_slice(line).unwrap()).collect();
        (ended, documents, String::from_utf8(notes).unwrap())
    }

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_line_without_end_is_one_broken_document() {
        let blank = " ".repeat(RECORD - 4);
        let just_fits = format!("{blank}null\r\n");
        // A whole record in the first 10 MiB does not make a longer line whole.
        let longer = format!("{{\"eventID\":\"cut\"}}{blank}{blank}{blank}x\n");
        let by_one = format!("{blank} null");
        let text = format!("{just_fits}{longer}{{\"eventID\":\"next\"}}\n{by_one}");
        let (ended, documents, notes) = mapped(file(text.as_bytes()).path(), true);
        assert!(ended.is_ok());
        assert_eq!(notes, "");
        let kinds: Vec<&Value> = documents.iter().map(|document| &document["event"]["kind"]).collect();
        assert_eq!(kinds, ["event", "pipeline_error", "event", "pipeline_error"]);
        assert_eq!(documents[2]["event"]["id"], "next");
        let second = &documents[1];
        assert_eq!(second["event"]["original"].as_str().unwrap(), &longer[..RECORD]);
        assert!(second["error"]["message"].to_string().contains("more than 10 MiB"), "{}", second["error"]);
    }

    #[test]
    fn of_a_folder_only_what_looks_like_a_trail_is_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let record = |id: &str| format!("{{\"Records\":[{{\"eventID\":\"{id}\"}}]}}");
        for name in ["b.json", "a.json", "README.md", "under-way.json.gz.6Ea7", ".hidden.json"] {
            std::fs::write(folder.path().join(name), record(name)).unwrap();
        }
        let (ended, documents, notes) = mapped(folder.path(), false);
        assert!(ended.is_ok());
        assert_eq!(notes, "");
        let ids: Vec<&Value> = documents.iter().map(|document| &document["event"]["id"]).collect();
        assert_eq!(ids, ["a.json", "b.json"]);
        let (_, documents, _) = mapped(&folder.path().join("README.md"), false);
        assert_eq!(documents.len(), 1, "what is named is mapped");
        let empty = tempfile::tempdir().unwrap();
        let (_, documents, notes) = mapped(empty.path(), false);
        assert!(documents.is_empty());
        assert!(notes.ends_with("holds no file that looks like one of a trail\n"), "{notes}");
    }

    #[test]
    fn places_come_from_the_files_that_are_named() {
        let asn = serde_json::json!({"autonomous_system_number": 64496, "autonomous_system_organization": "Example"});
        let database = file(&crate::geoip::testing::file("GeoLite2-ASN", &[("192.0.2.0/24", asn)]));
        let line = file(br#"{"sourceIPAddress":"192.0.2.1"}"#);
        let mut out = Vec::new();
        let args = MapArgs { asn_database: Some(database.path().to_owned()), ..arguments(line.path(), true) };
        assert!(map(&args, &mut out, &mut Vec::new()).is_ok());
        let document: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(document["source"]["as"], serde_json::json!({"number": 64496, "organization": {"name": "Example"}}));
        let args = MapArgs { city_database: Some(database.path().to_owned()), ..arguments(line.path(), true) };
        let Err(Failure::Usage(text)) = map(&args, &mut Vec::new(), &mut Vec::new()) else { panic!() };
        assert!(text.ends_with("is of the type `GeoLite2-ASN`, not `City`"), "{text}");
    }

    #[test]
    fn what_is_broken_is_noted_and_counted() {
        let text = br#"{"Records":[{"eventID":"1"},{"a":tru},{"eventID":"2"},{"b":nul},{"eventID":"3"},"#;
        let (ended, documents, notes) = mapped(file(text).path(), false);
        assert_eq!(documents.len(), 3);
        let places: Vec<&str> = notes.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
        assert_eq!(places[..2], ["record 2 at byte 28", "record 4 at byte 54"]);
        assert_eq!(places.len(), 3, "and that the text ends early: {notes}");
        let Err(Failure::Work(error)) = ended else { panic!("{ended:?}") };
        assert_eq!(error.to_string(), "3 records or files could not be mapped");
    }

    /// Standard error that goes away after the first note.
    struct Closed(usize);

    impl Write for Closed {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 1 { Err(io::Error::other("closed")) } else { Ok(buffer.len()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn notes_are_written_while_the_file_is_read() {
        // Far more than one window; the second half is not read once the notes cannot be written.
        let text = format!("{{\"Records\":[{}{{}}]}}", "{\"a\":tru},".repeat(1_000_000));
        let (file, mut notes) = (file(text.as_bytes()), Closed(0));
        let ended = map(&arguments(file.path(), false), &mut Vec::new(), &mut notes);
        assert!(matches!(ended, Err(Failure::Work(error)) if format!("{error:#}").ends_with("closed")));
        assert_eq!(notes.0, 2);
    }
}
