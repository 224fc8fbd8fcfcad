//! The mark that installed objects carry: which release made them, and of what content.
//!
//! A dashboard has it at the end of its description, since Kibana up to 8.14 takes no attributes of others; a rule in
//! its `meta`. Kibana changes the form of both when it is upgraded, so that contents alone would not tell. What holds:
//! whatever text is read, at most no mark is found.

use ring::digest::{SHA256, digest};
use serde_json::Value;
use std::cmp::Ordering;
use std::fmt;

const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Begins the mark in a description.
const OPENING: &str = "[trailship ";

/// Release, and the beginning of the content's SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub release: String,
    pub content: String,
}

impl Mark {
    /// The mark of a line that this release makes.
    pub fn new(line: &str) -> Mark {
        let hash = digest(&SHA256, line.as_bytes());
        let content = hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Mark { release: RELEASE.to_owned(), content }
    }

    /// The mark at the end of a description.
    pub fn read(description: &str) -> Option<Mark> {
        let (_, mark) = description.trim_end().rsplit_once(OPENING)?;
        let (release, content) = mark.strip_suffix(']')?.split_once(' ')?;
        Some(Mark { release: release.to_owned(), content: content.to_owned() })
    }

    /// The mark in a rule's `meta`.
    pub fn read_meta(meta: &Value) -> Option<Mark> {
        let text = |pointer| meta.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Some(Mark { release: text("/trailship/release")?, content: text("/trailship/content")? })
    }

    /// Whether a newer release made it; a release that cannot be read is not newer.
    pub fn is_newer(&self) -> bool {
        match (numbers(&self.release), numbers(RELEASE)) {
            (Some(theirs), Some(ours)) => theirs.cmp(&ours) == Ordering::Greater,
            _ => false,
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{OPENING}{} {}]", self.release, self.content)
    }
}

fn numbers(release: &str) -> Option<[u64; 3]> {
    let core = release.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let mark = Mark::new("{}");
        // printf '{}' | sha256sum
        assert_eq!(mark.content, "44136fa3");
        assert_eq!(Mark::read(&format!("All of it. {mark}")), Some(mark.clone()));
        assert_eq!(Mark::read(&format!("{mark}\n")), Some(mark));
        for text in ["", "All of it.", "[trailship ", "[trailship 1.0.0]", "[trailship 1.0.0 ab] and more"] {
            assert_eq!(Mark::read(text), None, "{text}");
        }
    }

    #[test]
    fn releases_are_compared_as_numbers() {
        let is_newer = |release: &str| Mark { release: release.to_owned(), content: String::new() }.is_newer();
        assert!(!is_newer(RELEASE) && !is_newer("0.0.99"));
        assert!(is_newer("999.0.0") && is_newer("999.0.0-rc.1"));
        assert!(!is_newer("soon") && !is_newer("999"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = Mark::read(&text).map(|mark| mark.is_newer());
            let _ = Mark::read(&format!("[trailship {text}]")).map(|mark| mark.is_newer());
        }
    }
}
