//! What is found wrong with a configuration, as text for its author.
//!
//! Each finding names file, line, column and setting, quotes the line with a caret below the place,
//! and says how to mend it. Secrets are masked before a finding is made, not when it is shown. The
//! same form serves errors, which stop the start, and warnings, which do not.

use std::fmt;

/// Most findings of a kind that are told; who has more of them needs no longer list.
pub(super) const MAX_FINDINGS: usize = 100;

/// One thing found in a configuration, with its place.
///
/// Texts are lower-case, without a full stop, and hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file as it was given, or `-E` for an override on the command line.
    pub file: String,
    /// The line, from 1; 0 where the finding has no place in a file.
    pub line: usize,
    /// The column in characters, from 1; 0 where the finding has no place in a file.
    pub column: usize,
    /// The setting with dots, such as `output.elasticsearch.worker`; empty for the whole file.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line and the caret below it, as two lines of text.
    pub snippet: Option<String>,
}

impl ConfigError {
    /// A finding about a file as a whole.
    pub(crate) fn of_file(file: impl Into<String>, message: String, hint: Option<String>) -> Self {
        Self { file: file.into(), line: 0, column: 0, path: String::new(), message, hint, snippet: None }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(formatter, "{}:", self.file)?;
            if self.line > 0 {
                write!(formatter, "{}:{}:", self.line, self.column)?;
            }
            formatter.write_str(" ")?;
        }
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.message)?;
        if let Some(snippet) = &self.snippet {
            write!(formatter, "\n{snippet}")?;
        }
        if let Some(hint) = &self.hint {
            write!(formatter, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// Everything that stops the start, in the order of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

/// Everything that is worth saying but does not stop the start, in the order of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warnings(pub Vec<ConfigError>);

impl ConfigErrors {
    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Warnings {
    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_all(&self.0, formatter)
    }
}

impl fmt::Display for Warnings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_all(&self.0, formatter)
    }
}

fn write_all(findings: &[ConfigError], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, finding) in findings.iter().enumerate() {
        if index > 0 {
            formatter.write_str("\n\n")?;
        }
        fmt::Display::fmt(finding, formatter)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> ConfigError {
        ConfigError {
            file: "trailship.yml".to_owned(),
            line: 12,
            column: 11,
            path: "output.elasticsearch.worker".to_owned(),
            message: "`two` is not a whole number".to_owned(),
            hint: Some("write digits only".to_owned()),
            snippet: Some("  worker: two\n          ^".to_owned()),
        }
    }

    #[test]
    fn shows_place_line_caret_and_hint() {
        assert_eq!(
            finding().to_string(),
            "trailship.yml:12:11: output.elasticsearch.worker: `two` is not a whole number\n  \
             worker: two\n          ^\n\
             hint: write digits only"
        );
    }

    #[test]
    fn shows_what_it_has() {
        let whole = ConfigError::of_file("a.yml", "cannot be read".to_owned(), None);
        assert_eq!(whole.to_string(), "a.yml: cannot be read");
        let nowhere = ConfigError {
            path: "output".to_owned(),
            ..ConfigError::of_file("", "no output is enabled".to_owned(), None)
        };
        assert_eq!(nowhere.to_string(), "output: no output is enabled");
    }

    #[test]
    fn shows_all_of_them() {
        let one = ConfigError::of_file("a.yml", "one".to_owned(), None);
        let two = ConfigError::of_file("a.yml", "two".to_owned(), None);
        assert_eq!(ConfigErrors(vec![one, two]).to_string(), "a.yml: one\n\na.yml: two");
    }
}
