//! `trailship dead-letter show`.

use super::{place, when};
use crate::cli::args::{DeadLetterShowArgs, Format, Global};
use crate::cli::{Failure, load, visible};
use crate::output::parking::{End, FOLDER, Letter, LetterId, Letters, Marks, Stands};
use crate::record::notification::{self, Notification};
use anyhow::Context as _;
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;

pub fn show(global: &Global, args: &DeadLetterShowArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let folder = load::settings(global)?.data.join(FOLDER);
    let letter = find(&folder, args.id)?;
    let replayed = Marks::load(&folder).map_err(anyhow::Error::from)?.contains(args.id);
    match args.format {
        Format::Json => writeln!(out, "{}", visible::json(&as_json(args.id, &letter, replayed).to_string())),
        Format::Text => print(args.id, &letter, replayed, out),
    }
    .context("cannot print the letter")?;
    Ok(())
}

fn find(folder: &Path, id: LetterId) -> Result<Letter, Failure> {
    let before = LetterId { file: id.file, line: id.line.saturating_sub(1) };
    let end = End { file: id.file, bytes: u64::MAX };
    let mut letters = Letters::after(folder, Some(before), end).context("cannot read the dead letter")?;
    let found = letters.next().transpose().context("cannot read the dead letter")?.filter(|entry| entry.id == id);
    match found.map(|entry| entry.letter) {
        Some(Ok(letter)) => Ok(letter),
        Some(Err(reason)) => Err(Failure::work(format!("letter `{id}` cannot be read: {reason}"))),
        None => Err(Failure::work(format!("there is no letter `{id}`: see `trailship dead-letter list --all`"))),
    }
}

fn as_json(id: LetterId, letter: &Letter, replayed: bool) -> serde_json::Value {
    let text = std::str::from_utf8(&letter.record).ok();
    json!({
        "id": id,
        "parked": letter.parked,
        "code": letter.code,
        "reason": letter.reason,
        "status": letter.status,
        "input": letter.source.input,
        "bucket": letter.source.bucket,
        "object": letter.source.object,
        "version_id": letter.source.version,
        "offset": letter.offset,
        "_id": letter.document_id,
        "replayed": replayed,
        "replay": way(letter),
        "truncated": letter.truncated,
        "record": text,
        "record_base64": text.is_none().then(|| aws_smithy_types::base64::encode(&letter.record)),
    })
}

/// How a replay sends it.
fn way(letter: &Letter) -> &'static str {
    match letter.stands() {
        Stands::Document => "sent as it is, with its _id",
        Stands::Record => "mapped anew from its text",
        Stands::Object => "its object is read again",
        Stands::Message if names_objects(&letter.record) => "its message is read again",
        Stands::Message => "none: this version does not understand the message either",
    }
}

fn names_objects(message: &[u8]) -> bool {
    let read = std::str::from_utf8(message).ok().and_then(|body| notification::read(body).ok());
    matches!(read, Some(Notification::Objects { .. }))
}

fn print(id: LetterId, letter: &Letter, replayed: bool, out: &mut dyn Write) -> io::Result<()> {
    let source = &letter.source;
    let number = |n: Option<u64>| n.map(|n| n.to_string());
    let rows: [(&str, Option<String>); 12] = [
        ("id", Some(id.to_string())),
        ("parked", Some(when(letter.parked))),
        ("code", Some(letter.code.clone())),
        ("reason", Some(letter.reason.clone())),
        ("status", number(letter.status.map(u64::from))),
        ("input", Some(source.input.clone())),
        ("where", Some(place(source))),
        ("version", source.version.clone()),
        ("offset", number(letter.offset)),
        ("_id", letter.document_id.clone()),
        ("replayed", Some(if replayed { "yes" } else { "no" }.to_owned())),
        ("replay", Some(way(letter).to_owned())),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            writeln!(out, "{name:<9} {}", visible::line(&value))?;
        }
    }
    let what = match (&letter.document_id, letter.stands()) {
        (Some(_), _) => "document",
        (None, Stands::Message) => "message",
        (None, _) => "record",
    };
    if letter.record.is_empty() {
        return writeln!(out, "{what:<9} none is kept");
    }
    let note = if letter.truncated { ", its first bytes" } else { "" };
    writeln!(out, "{what:<9} {} bytes{note}\n", letter.record.len())?;
    match std::str::from_utf8(&letter.record) {
        Ok(text) => writeln!(out, "{}", visible::lines(&visible::indented(text))),
        // What is not UTF-8 is shown byte by byte, as \xff.
        Err(_) => writeln!(out, "{}", letter.record.escape_ascii()),
    }
}
