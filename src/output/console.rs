//! `output.console`: documents on standard output, one a line.
//!
//! A record counts as indexed when the line was written and flushed. When the reader goes away (a closed pipe) the run
//! is stopped and what was not written is given back. Repeats are not recognised.

use super::body::Body;
use super::segments::Segments;
use super::{Bulk, BulkShape, Framing, Output};
use crate::ack::Outcome;
use crate::visible;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Settings of `output.console`; keys as in Filebeat.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// `false` takes the section out of play.
    pub enabled: bool,
    /// Indents each document over several lines, for people.
    pub pretty: bool,
}

impl Default for ConsoleConfig {
    fn default() -> ConsoleConfig {
        ConsoleConfig { enabled: true, pretty: false }
    }
}

/// The output. `W` is standard output, or what a test reads.
pub struct Console<W = io::Stdout> {
    writer: Arc<Mutex<W>>,
    pretty: bool,
    stop: CancellationToken,
}

impl<W: Write + Send + 'static> Console<W> {
    /// Writes to `writer`; sets `stop` when nobody reads any more.
    pub fn new(config: &ConsoleConfig, writer: W, stop: CancellationToken) -> Console<W> {
        Console { writer: Arc::new(Mutex::new(writer)), pretty: config.pretty, stop }
    }

    async fn write(&self, bulk: Bulk) {
        let mut segments = Segments::new(bulk.segments);
        let body = Body { wire: bulk.body.into(), gzip: bulk.gzip, items: bulk.items };
        let (writer, pretty) = (Arc::clone(&self.writer), self.pretty);
        // A pipe whose reader pauses blocks, so this is no work for an async thread.
        let written = tokio::task::spawn_blocking(move || {
            let text = if pretty { indented(&body) } else { body.plain().map_err(io::Error::other).map(Vec::from) }?;
            // The same JSON, without what a terminal would obey.
            let text = visible::json(&String::from_utf8_lossy(&text)).into_bytes();
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.write_all(&text).and_then(|()| writer.flush()).map(|()| body.records())
        })
        .await;
        match written {
            Ok(Ok(records)) => segments.settle(&vec![Some(Outcome::Indexed); records]),
            Ok(Err(fault)) => {
                if !self.stop.is_cancelled() && fault.kind() != io::ErrorKind::BrokenPipe {
                    tracing::error!(error = %fault, "cannot write to standard output; the run ends");
                }
                self.stop.cancel();
            }
            // The write panicked; the records are given back.
            Err(_) => {}
        }
    }
}

impl<W: Write + Send + 'static> Output for Console<W> {
    fn shape(&self) -> BulkShape {
        BulkShape { framing: Framing::Lines, compression_level: 0, max_bytes: 256 << 10, max_records: 1_000 }
    }

    /// One: lines keep the order in which bulks arrive.
    fn concurrency(&self) -> usize {
        1
    }

    fn deliver(&self, bulk: Bulk) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.write(bulk))
    }
}

/// Each document over several lines. A document that is not JSON is shown as it is.
fn indented(body: &Body) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(body.plain_bytes() * 2);
    for item in body.plain_items().map_err(io::Error::other)? {
        match serde_json::from_slice::<serde_json::Value>(&item) {
            Ok(document) => {
                serde_json::to_writer_pretty(&mut text, &document)?;
                text.push(b'\n');
            }
            Err(_) => text.extend_from_slice(&item),
        }
    }
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::output::segments::tests::Trail;

    /// Keeps what is written; refuses as a closed pipe does when told to.
    #[derive(Clone, Default)]
    struct Screen {
        shown: Arc<Mutex<Vec<u8>>>,
        closed: bool,
    }

    impl Write for Screen {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            if self.closed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.shown.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bulk(trail: &Trail) -> Bulk {
        Bulk {
            body: b"{\"a\":1}\n{\"b\":{\"c\":2}}\n".to_vec(),
            gzip: false,
            items: vec![8, 14],
            keys: vec![1, 2],
            segments: vec![trail.segment("o", 2)],
            charge: None,
        }
    }

    #[tokio::test]
    async fn shows_lines_or_indents() {
        for (pretty, shown) in [
            (false, "{\"a\":1}\n{\"b\":{\"c\":2}}\n"),
            (true, "{\n  \"a\": 1\n}\n{\n  \"b\": {\n    \"c\": 2\n  }\n}\n"),
        ] {
            let screen = Screen::default();
            let config = ConsoleConfig { pretty, ..ConsoleConfig::default() };
            let console = Console::new(&config, screen.clone(), CancellationToken::new());
            let trail = Trail::open();
            console.deliver(bulk(&trail)).await;
            assert_eq!(String::from_utf8(screen.shown.lock().unwrap().clone()).unwrap(), shown);
            assert_eq!(trail.counters.read().indexed, 2);
        }
    }

    #[tokio::test]
    async fn what_a_terminal_would_obey_is_escaped_and_says_the_same() {
        for pretty in [false, true] {
            let screen = Screen::default();
            let console = Console::new(
                &ConsoleConfig { pretty, ..ConsoleConfig::default() },
                screen.clone(),
                CancellationToken::new(),
            );
            let body = "{\"a\":\"\u{9b}2J\u{202e}ü\"}\n".as_bytes().to_vec();
            let trail = Trail::open();
            let items = vec![u32::try_from(body.len()).unwrap()];
            let segments = vec![trail.segment("o", 1)];
            console.deliver(Bulk { body, gzip: false, items, keys: vec![1], segments, charge: None }).await;
            let shown = String::from_utf8(screen.shown.lock().unwrap().clone()).unwrap();
            assert!(shown.contains("\\u009b2J\\u202eü"), "{shown}");
            let said: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(said, serde_json::json!({"a": "\u{9b}2J\u{202e}ü"}));
        }
    }

    #[tokio::test]
    async fn a_closed_pipe_stops_the_run_and_gives_back() {
        let screen = Screen { closed: true, ..Screen::default() };
        let stop = CancellationToken::new();
        let console = Console::new(&ConsoleConfig::default(), screen, stop.clone());
        let trail = Trail::open();
        console.deliver(bulk(&trail)).await;
        assert!(stop.is_cancelled());
        let counts = trail.counters.read();
        assert_eq!((counts.indexed, counts.returned), (0, 2));
    }
}
