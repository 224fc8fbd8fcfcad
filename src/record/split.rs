//! Cuts inflated text into records as it arrives; never holds more than one unfinished record.
//!
//! Understood: `{"Records":[..]}` with `Records` anywhere in the top object, a bare top-level array, single top-level
//! objects (a digest, one record, or a payload of log events), and any number of these after each other. What lies inside a record is looked at
//! only for its end, so a record whose inside is broken costs that record alone. The same text gives the same pieces
//! whatever the chunks it arrives in.

use super::scan::Scan;

/// A record, or what had to be cut short.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Whole text of one record; `offset` is its first byte in the inflated object.
    Record { offset: u64, text: &'a [u8] },
    /// Whole text of a top-level object with a member `logEvents`: the payload of a subscription filter, most likely.
    LogEvents { offset: u64, text: &'a [u8] },
    /// A record longer than the limit: its first bytes, and its whole length in bytes.
    Oversized { offset: u64, head: &'a [u8], length: u64 },
}

/// Why the text cannot be split any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitFault {
    #[error("byte {offset}: found `{found}` where {wanted} should start")]
    NotJson { offset: u64, found: char, wanted: &'static str },
    #[error("the text ends at byte {offset} inside {inside}")]
    Truncated { offset: u64, inside: &'static str },
}

/// Bytes of an oversized record that are kept for the dead letter.
const HEAD: usize = 64 * 1024;
/// Kept bytes of a top-level key: one more than `logEvents` has, so that a longer key cannot be taken for it.
const KEY: usize = 10;

/// The state between two chunks of one object.
pub struct Splitter {
    state: State,
    /// Bytes of all chunks before the current one.
    before: u64,
    /// The record under way: where it starts in the object, and its bytes from earlier chunks.
    open: Option<u64>,
    carry: Vec<u8>,
    /// The top object has shown its `Records`: it is an envelope, not a record.
    envelope: bool,
    /// The top object has members.
    members: bool,
    /// One of them is `logEvents`.
    log_events: bool,
    key: Vec<u8>,
    limit: usize,
    whole: bool,
}

#[derive(Clone, Copy)]
enum State {
    /// Between top-level values.
    Between,
    /// In the top object, before a key or its end.
    Key,
    /// Inside a key of the top object.
    KeyText { escaped: bool },
    /// After a key of the top object, before its value.
    Value,
    /// Inside the value of a member that is not `Records`.
    Member(Scan),
    /// In an array of records, between elements.
    Elements { bare: bool },
    /// Inside an element.
    Element { scan: Scan, home: Home },
}

/// Where an element lies, and so where to go on after it.
#[derive(Clone, Copy)]
enum Home {
    Records,
    BareArray,
    TopLevel,
}

impl<'a> Piece<'a> {
    fn into_log_events(self) -> Piece<'a> {
        match self {
            Piece::Record { offset, text } => Piece::LogEvents { offset, text },
            other => other,
        }
    }
}

impl Splitter {
    /// Splits into records of at most `limit` bytes. `whole`: every top-level object is one record, as in a digest.
    pub fn new(limit: usize, whole: bool) -> Splitter {
        Splitter {
            state: State::Between,
            before: 0,
            open: None,
            carry: Vec::new(),
            envelope: false,
            members: false,
            log_events: false,
            key: Vec::with_capacity(KEY),
            limit,
            whole,
        }
    }

    /// The text is a piece of its object that begins at byte `offset`. Before the first chunk.
    pub fn at(self, offset: u64) -> Splitter {
        Splitter { before: offset, ..self }
    }

    /// Takes the next chunk and gives every piece that ends in it to `sink`, in order.
    ///
    /// # Errors
    /// [`SplitFault::NotJson`]; what came before it has been given out.
    pub fn push(&mut self, chunk: &[u8], sink: &mut impl FnMut(Piece<'_>)) -> Result<(), SplitFault> {
        let mut at = 0;
        // First byte in this chunk of the record under way.
        let mut mark = 0;
        loop {
            match self.state {
                State::Between => {
                    let Some(next) = find(chunk, at, |b| !is_space(b)) else { break };
                    at = next + 1;
                    match chunk[next] {
                        b'{' | b'[' if self.whole => {
                            mark = self.begin(next);
                            self.state = State::Element { scan: Scan::start(chunk[next]), home: Home::TopLevel };
                        }
                        b'{' => {
                            mark = self.begin(next);
                            (self.envelope, self.members, self.log_events) = (false, false, false);
                            self.state = State::Key;
                        }
                        b'[' => self.state = State::Elements { bare: true },
                        _ => return Err(self.not_json(chunk, next, "an object or array")),
                    }
                }
                State::Key => {
                    let Some(next) = find(chunk, at, |b| !is_space(b) && b != b',') else { break };
                    at = next + 1;
                    match chunk[next] {
                        b'"' => {
                            self.key.clear();
                            self.members = true;
                            self.state = State::KeyText { escaped: false };
                        }
                        b'}' => {
                            self.state = State::Between;
                            if self.envelope || !self.members {
                                self.open = None;
                            } else if self.log_events {
                                self.end(&chunk[mark..at], &mut |piece| sink(piece.into_log_events()));
                            } else {
                                self.end(&chunk[mark..at], sink);
                            }
                        }
                        _ => return Err(self.not_json(chunk, next, "a key")),
                    }
                }
                State::KeyText { escaped } => {
                    let Some(&byte) = chunk.get(at) else { break };
                    at += 1;
                    if byte == b'"' && !escaped {
                        self.log_events |= self.key == b"logEvents";
                        self.state = State::Value;
                        continue;
                    }
                    if self.key.len() < KEY {
                        self.key.push(byte);
                    }
                    self.state = State::KeyText { escaped: byte == b'\\' && !escaped };
                }
                State::Value => {
                    let Some(next) = find(chunk, at, |b| !is_space(b) && b != b':') else { break };
                    at = next + 1;
                    match chunk[next] {
                        b'[' if self.key == b"Records" => {
                            self.envelope = true;
                            self.open = None;
                            self.state = State::Elements { bare: false };
                        }
                        b',' | b'}' => {
                            at = next;
                            self.state = State::Key;
                        }
                        first => self.state = State::Member(Scan::start(first)),
                    }
                }
                State::Member(mut scan) => match scan.run(&chunk[at..]) {
                    Some(length) => {
                        at += length;
                        self.state = State::Key;
                    }
                    None => {
                        self.state = State::Member(scan);
                        break;
                    }
                },
                State::Elements { bare } => {
                    let Some(next) = find(chunk, at, |b| !is_space(b) && b != b',') else { break };
                    at = next + 1;
                    if chunk[next] == b']' {
                        self.state = if bare { State::Between } else { State::Key };
                    } else {
                        let home = if bare { Home::BareArray } else { Home::Records };
                        mark = self.begin(next);
                        self.state = State::Element { scan: Scan::start(chunk[next]), home };
                    }
                }
                State::Element { mut scan, home } => match scan.run(&chunk[at..]) {
                    Some(length) => {
                        at += length;
                        self.end(&chunk[mark..at], sink);
                        self.state = match home {
                            Home::Records => State::Elements { bare: false },
                            Home::BareArray => State::Elements { bare: true },
                            Home::TopLevel => State::Between,
                        };
                    }
                    None => {
                        self.state = State::Element { scan, home };
                        break;
                    }
                },
            }
        }
        self.keep(&chunk[mark.min(chunk.len())..]);
        self.before += chunk.len() as u64;
        Ok(())
    }

    /// The end of the object.
    ///
    /// # Errors
    /// [`SplitFault::Truncated`] when the text ends inside a value.
    pub fn finish(&self) -> Result<(), SplitFault> {
        let inside = match self.state {
            State::Between => return Ok(()),
            State::Element { .. } => "a record",
            State::Elements { .. } => "the list of records",
            _ => "the top-level object",
        };
        Err(SplitFault::Truncated { offset: self.before, inside })
    }

    /// The record that was under way when the text ended: its offset and first bytes.
    pub fn unfinished(&self) -> Option<(u64, &[u8])> {
        self.open.map(|offset| (offset, self.carry.as_slice()))
    }

    /// Bytes held for the record under way; at most the limit, or 64 KiB where that is less.
    pub fn held(&self) -> usize {
        self.carry.capacity()
    }

    fn begin(&mut self, at: usize) -> usize {
        self.open = Some(self.before + at as u64);
        self.carry.clear();
        at
    }

    /// Gives out the record under way, which ends with the bytes `tail` of this chunk.
    fn end(&mut self, tail: &[u8], sink: &mut impl FnMut(Piece<'_>)) {
        let Some(offset) = self.open.take() else { return };
        if self.carry.is_empty() && tail.len() <= self.limit {
            return sink(Piece::Record { offset, text: tail });
        }
        let before_tail = self.before.saturating_sub(offset);
        let length = before_tail + tail.len() as u64;
        self.hold(tail, before_tail);
        if length <= self.limit as u64 {
            sink(Piece::Record { offset, text: &self.carry });
        } else {
            sink(Piece::Oversized { offset, head: &self.carry, length });
        }
        self.carry.clear();
        self.carry.shrink_to(HEAD);
    }

    /// Keeps the bytes of a record that goes on in the next chunk.
    fn keep(&mut self, tail: &[u8]) {
        if let Some(offset) = self.open {
            self.hold(tail, self.before.saturating_sub(offset));
        }
    }

    /// Adds to the carry; a record over the limit shrinks to its head.
    fn hold(&mut self, tail: &[u8], before_tail: u64) {
        if before_tail + tail.len() as u64 <= self.limit as u64 {
            self.reserve(tail.len());
            self.carry.extend_from_slice(tail);
        } else {
            let head = HEAD.min(self.limit);
            let missing = head.saturating_sub(self.carry.len()).min(tail.len());
            self.carry.extend_from_slice(&tail[..missing]);
            self.carry.truncate(head);
            self.carry.shrink_to_fit();
        }
    }

    /// Makes the carry larger by a quarter and never beyond the limit, as doubling would take up to twice as much.
    fn reserve(&mut self, more: usize) {
        let (needed, has) = (self.carry.len() + more, self.carry.capacity());
        if needed > has {
            let wanted = (has + has / 4).max(has + HEAD).min(self.limit).max(needed);
            self.carry.reserve_exact(wanted - self.carry.len());
        }
    }

    fn not_json(&self, chunk: &[u8], at: usize, wanted: &'static str) -> SplitFault {
        let found = if chunk[at].is_ascii() { char::from(chunk[at]) } else { char::REPLACEMENT_CHARACTER };
        SplitFault::NotJson { offset: self.before + at as u64, found, wanted }
    }
}

/// JSON's white space, and the three bytes of a byte order mark, which some editors leave at the start.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0xEF | 0xBB | 0xBF)
}

fn find(chunk: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    chunk.get(from..)?.iter().position(|&byte| wanted(byte)).map(|n| from + n)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Offset, text, and the whole length when cut short.
    type Cut = (u64, Vec<u8>, Option<u64>);

    /// Everything that a splitter gives for a text in the given chunks.
    fn split(chunks: &[&[u8]], limit: usize, whole: bool) -> (Vec<Cut>, Result<(), SplitFault>) {
        let mut splitter = Splitter::new(limit, whole);
        let mut pieces = Vec::new();
        let mut end = Ok(());
        for chunk in chunks {
            end = splitter.push(chunk, &mut |piece| {
                pieces.push(match piece {
                    Piece::Record { offset, text } | Piece::LogEvents { offset, text } => (offset, text.to_vec(), None),
                    Piece::Oversized { offset, head, length } => (offset, head.to_vec(), Some(length)),
                });
            });
            if end.is_err() {
                break;
            }
        }
        (pieces, end.and_then(|()| splitter.finish()))
    }

    fn records(text: &str) -> Vec<String> {
        let (pieces, end) = split(&[text.as_bytes()], 1 << 20, false);
        assert_eq!(end, Ok(()), "{text}");
        for (offset, record, _) in &pieces {
            let at = usize::try_from(*offset).unwrap();
            assert_eq!(&text.as_bytes()[at..at + record.len()], record.as_slice());
        }
        pieces.into_iter().map(|(_, record, _)| String::from_utf8(record).unwrap()).collect()
    }

    #[test]
    fn records_wherever_they_lie() {
        assert_eq!(records(r#"{"Records":[{"a":1},{"b":"}]"}]}"#), [r#"{"a":1}"#, r#"{"b":"}]"}"#]);
        assert_eq!(
            records(r#" {"x":{"Records":[1]},"y":[2],"Records" : [ {"a":{}} ] , "z":"\"]}" } "#),
            [r#"{"a":{}}"#]
        );
        assert_eq!(records(r#"[{"a":1}, {"b":2}]"#), [r#"{"a":1}"#, r#"{"b":2}"#]);
        assert_eq!(records("{\"a\":1}\n{\"b\":[2]}\n"), [r#"{"a":1}"#, r#"{"b":[2]}"#]);
        assert_eq!(records("{\"Records\":[{\"a\":1}]}{\"Records\":[{\"b\":1}]}"), [r#"{"a":1}"#, r#"{"b":1}"#]);
        assert_eq!(records("\u{feff}{\"Records\":[{\"a\":1}]}"), [r#"{"a":1}"#]);
    }

    #[test]
    fn nothing_in_nothing() {
        for empty in ["", "  \n", "{}", "[]", r#"{"Records":[]}"#, r#"{"a":1,"Records":[],"b":2}"#] {
            assert!(records(empty).is_empty(), "{empty}");
        }
    }

    #[test]
    fn members_that_are_no_objects_are_pieces_too() {
        assert_eq!(
            records(r#"{"Records":[1, "two]", null,[3,[4]],{"a":"\\"}]}"#),
            ["1", "\"two]\"", "null", "[3,[4]]", r#"{"a":"\\"}"#]
        );
    }

    #[test]
    fn a_record_with_a_broken_inside_stays_alone() {
        assert_eq!(records(r#"{"Records":[{"a":,,"b"},{"c":3}]}"#), [r#"{"a":,,"b"}"#, r#"{"c":3}"#]);
        assert_eq!(records(r#"{"Records":[{"a":[1}{"c":3}]}"#), [r#"{"a":[1}"#, r#"{"c":3}"#], "a comma is missing");
    }

    #[test]
    fn records_that_are_a_scalar_make_the_object_a_record() {
        assert_eq!(records(r#"{"Records":"none"}"#), [r#"{"Records":"none"}"#]);
        assert_eq!(records(r#"{"RecordsAndMore":[{"a":1}]}"#), [r#"{"RecordsAndMore":[{"a":1}]}"#]);
    }

    #[test]
    fn a_digest_is_one_record() {
        let digest = r#"{"awsAccountId":"1","logFiles":[],"Records":[{"a":1}]}"#;
        let (pieces, end) = split(&[digest.as_bytes()], 1 << 20, true);
        assert_eq!((pieces.len(), end), (1, Ok(())));
        assert_eq!(pieces[0].1, digest.as_bytes());
    }

    #[test]
    fn a_piece_of_an_object_keeps_its_place() {
        let mut splitter = Splitter::new(1 << 20, true).at(700);
        let mut offsets = Vec::new();
        for chunk in [r#" {"a":"#, r#"tru}"#] {
            let mut sink = |piece: Piece<'_>| {
                let Piece::Record { offset, text } = piece else { panic!("{piece:?}") };
                offsets.push((offset, text.to_vec()));
            };
            splitter.push(chunk.as_bytes(), &mut sink).unwrap();
        }
        assert_eq!(offsets, [(701, br#"{"a":tru}"#.to_vec())]);
    }

    #[test]
    fn what_is_too_long_is_cut_short_alone() {
        let long = format!(r#"{{"Records":[{{"a":1}},{{"b":"{}"}},{{"c":3}}]}}"#, "x".repeat(500));
        let (pieces, end) = split(&[long.as_bytes()], 100, false);
        assert_eq!(end, Ok(()));
        assert_eq!(pieces.iter().map(|p| p.2).collect::<Vec<_>>(), [None, Some(508), None]);
        assert_eq!(pieces[1].1.len(), 100);
    }

    #[test]
    fn ends_too_early() {
        for (text, inside) in [
            (r#"{"Records":[{"a":1},{"b""#, "a record"),
            (r#"{"Records":[{"a":1}"#, "the list of records"),
            (r#"{"Records":[]"#, "the top-level object"),
            (r#"{"Rec"#, "the top-level object"),
        ] {
            let (_, end) = split(&[text.as_bytes()], 1000, false);
            assert_eq!(end, Err(SplitFault::Truncated { offset: text.len() as u64, inside }));
        }
    }

    #[test]
    fn no_json_at_all() {
        let (_, end) = split(&[b"\n<xml/>"], 1000, false);
        assert_eq!(end.unwrap_err().to_string(), "byte 1: found `<` where an object or array should start");
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<i32>().prop_map(|n| n.to_string()),
            "[a-z\\\\\"{}\\[\\],:]{0,12}".prop_map(|s| serde_json::to_string(&s).unwrap()),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(", "))),
                prop::collection::vec(("[a-z\"\\\\]{0,8}", inner), 0..4).prop_map(|v| {
                    let members: Vec<_> =
                        v.iter().map(|(k, x)| format!("{}: {x}", serde_json::to_string(k).unwrap())).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_plain_parser_sees_the_same_records(records in prop::collection::vec(json(), 0..8), before in json()) {
            let text = format!(r#"{{"k":{before},"Records":[{}]}}"#, records.join(" ,"));
            let (pieces, end) = split(&[text.as_bytes()], 1 << 20, false);
            prop_assert_eq!(end, Ok(()));
            let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
            let plain: Vec<serde_json::Value> = parsed["Records"].as_array().unwrap().clone();
            let ours: Vec<serde_json::Value> = pieces.iter().map(|p| serde_json::from_slice(&p.1).unwrap()).collect();
            prop_assert_eq!(ours, plain);
        }

        #[test]
        fn chunks_make_no_difference(text in "[ \\n,:{}\\[\\]\"\\\\a1]{0,80}", cuts in prop::collection::vec(0usize..80, 0..8), limit in 1usize..60, whole: bool) {
            let text = text.replace("a1", "\"Records\":[");
            let one = split(&[text.as_bytes()], limit, whole);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                chunks.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            prop_assert_eq!(split(&chunks, limit, whole), one);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), limit in 1usize..40) {
            let _ = split(&[&bytes], limit, false);
        }
    }
}
