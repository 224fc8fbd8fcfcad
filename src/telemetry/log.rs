//! Logs: ECS JSON, one object a line, or text for people. Never a secret, never a record's content above debug.

use crate::visible;
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Days of log files that are kept.
const LOG_FILES: usize = 7;

/// Where logs go and how much of them.
#[derive(Debug, Clone)]
pub struct LogSettings {
    pub level: Level,
    /// Selectors of `-d`: modules that log at debug level; `*` for all.
    pub selectors: Vec<String>,
    /// To standard error instead of a file.
    pub to_stderr: bool,
    /// A line on the terminal is redrawn all the while: each message wipes it, and it comes again below.
    pub beside_line: bool,
    /// Folder of the log file.
    pub folder: PathBuf,
    /// JSON also on standard error; text is for a terminal.
    pub json: bool,
}

/// Starts logging for the whole process. Called once.
///
/// # Errors
/// When the log file cannot be opened.
pub fn start(settings: &LogSettings) -> io::Result<()> {
    let filter = EnvFilter::new(directives(settings));
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    if settings.to_stderr {
        let format = if settings.json || !io::stderr().is_terminal() { Format::Ecs } else { Format::Text };
        if settings.beside_line {
            builder.with_writer(|| Wiping(io::stderr())).event_format(format).init();
        } else {
            builder.with_writer(io::stderr).event_format(format).init();
        }
    } else {
        // The appender would complain on standard error about a folder that is not there yet.
        std::fs::create_dir_all(&settings.folder)?;
        let file = RollingFileAppender::builder()
            .rotation(Rotation::DAILY)
            .filename_prefix("trailship")
            .filename_suffix("ndjson")
            .max_log_files(LOG_FILES)
            .build(&settings.folder)
            .map_err(io::Error::other)?;
        builder.with_writer(file).event_format(Format::Ecs).init();
    }
    Ok(())
}

/// Wipes the line that the cursor is on before each message; a message is one write.
struct Wiping<W>(W);

impl<W: io::Write> io::Write for Wiping<W> {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        self.0.write_all(b"\r\x1b[2K")?;
        self.0.write_all(message)?;
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn directives(settings: &LogSettings) -> String {
    let mut directives = format!("warn,trailship={}", settings.level.as_str().to_lowercase());
    for selector in &settings.selectors {
        match selector.as_str() {
            "*" => directives.push_str(",trailship=debug,aws_config=debug,aws_smithy_runtime=debug"),
            module => {
                let _ = write!(directives, ",trailship::{module}=debug");
            }
        }
    }
    directives
}

enum Format {
    Ecs,
    Text,
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let now = jiff::Timestamp::now();
        let metadata = event.metadata();
        match self {
            Format::Text => {
                write!(
                    writer,
                    "{} {:<5} {}",
                    now.strftime("%H:%M:%S"),
                    metadata.level(),
                    visible::line(&fields.message)
                )?;
                for (name, value) in &fields.others {
                    write!(writer, " {name}={}", visible::line(&value.to_string()))?;
                }
                writeln!(writer)
            }
            Format::Ecs => {
                let mut line = serde_json::Map::new();
                line.insert("@timestamp".into(), now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().into());
                line.insert("log.level".into(), metadata.level().as_str().to_lowercase().into());
                line.insert("log.logger".into(), metadata.target().into());
                line.insert("message".into(), fields.message.into());
                line.insert("service.name".into(), "trailship".into());
                line.insert("ecs.version".into(), "8.11.0".into());
                for (name, value) in fields.others {
                    line.insert(format!("trailship.{name}"), value);
                }
                writeln!(writer, "{}", visible::json(&serde_json::Value::Object(line).to_string()))
            }
        }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, serde_json::Value)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.others.push((field.name(), text.into()));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.others.push((field.name(), value.into()));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.push((field.name(), value.into()));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt as _;

    #[test]
    fn selectors_raise_their_modules_only() {
        let settings = LogSettings {
            level: Level::INFO,
            selectors: vec!["inputs".into()],
            to_stderr: true,
            beside_line: false,
            folder: PathBuf::new(),
            json: false,
        };
        assert_eq!(directives(&settings), "warn,trailship=info,trailship::inputs=debug");
    }

    /// What was written.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_in_every_format() {
        let hostile = "a\u{1b}[31m\r\nb\u{9b}2J\u{202e}c";
        for (format, message, field) in [
            (
                Format::Text,
                "key a\\u{1b}[31m\\r\\nb\\u{9b}2J\\u{202e}c",
                "key=\"a\\u001b[31m\\r\\nb\\u{9b}2J\\u{202e}c\"",
            ),
            (
                Format::Ecs,
                "key a\\u001b[31m\\r\\nb\\u009b2J\\u202ec",
                "\"trailship.key\":\"a\\u001b[31m\\r\\nb\\u009b2J\\u202ec\"",
            ),
        ] {
            let written = Written::default();
            let to = written.clone();
            let layer = tracing_subscriber::fmt::layer().event_format(format).with_writer(move || to.clone());
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                tracing::error!(key = hostile, "key {hostile}");
            });
            let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            assert!(text.contains(message) && text.contains(field), "{text}");
            assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
        }
    }
}
