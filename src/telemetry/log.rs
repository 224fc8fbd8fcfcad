//! Logs: ECS JSON, one object a line, or text for people. Never a secret, never a record's content above debug.

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
                write!(writer, "{} {:<5} {}", now.strftime("%H:%M:%S"), metadata.level(), printable(&fields.message))?;
                for (name, value) in &fields.others {
                    write!(writer, " {name}={}", printable(&value.to_string()))?;
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
                writeln!(writer, "{}", serde_json::Value::Object(line))
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

/// Keys and error texts come from outside: control characters must not reach a terminal.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(printable("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
    }
}
