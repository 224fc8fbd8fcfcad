//! Finds the files that `paths` name: files, folders (read whole) and globs.

use super::registry::Mark;
use crate::inputs::selection::{Choice, Selection};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path as text, with `/`; what patterns are matched against and documents name.
    pub path: String,
    pub mark: Mark,
    /// A digest: the whole file is one record.
    pub digest: bool,
}

/// What a walk saw.
#[derive(Debug, Default)]
pub struct Walk {
    pub found: Vec<Found>,
    /// Files that no pattern selects.
    pub skipped: u64,
    /// What could not be looked into, with the reason.
    pub faults: Vec<String>,
    /// Folders that are read, and files below them: a glob may match a folder and what is in it.
    seen: HashSet<PathBuf>,
}

/// Looks up every path once, in order.
pub fn walk(paths: &[String], selection: &Selection) -> Walk {
    let mut walk = Walk::default();
    for pattern in paths {
        let literal = Path::new(pattern);
        match (fs::metadata(literal), all_below(pattern)) {
            (Ok(metadata), _) if metadata.is_dir() => walk.folder(literal, selection),
            (Ok(metadata), _) => walk.file(literal, &metadata, selection, true),
            (Err(_), Some(base)) if Path::new(base).is_dir() => walk.folder(Path::new(base), selection),
            (Err(_), base) => walk.glob(pattern, base, selection),
        }
    }
    walk.found.sort_by(|a, b| a.path.cmp(&b.path));
    walk.found.dedup_by(|a, b| a.path == b.path);
    walk
}

/// What a pattern with `**` at its end means: everything below its base. Globbing would list each folder below it.
fn all_below(pattern: &str) -> Option<&str> {
    let base = match pattern.trim_end_matches('/').strip_suffix("**")? {
        "" => ".",
        "/" => "/",
        base => base.strip_suffix('/')?,
    };
    all_below(base).or(Some(base))
}

/// Names as CloudTrail and `aws s3 sync` leave them; a download under way has a further suffix.
pub fn looks_like_trail(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    !name.starts_with('.')
        && [".json", ".json.gz", ".gz", ".ndjson", ".jsonl"].iter().any(|suffix| name.ends_with(suffix))
}

impl Walk {
    /// Reads what `pattern` matches: files, and folders whole. With `base` (of a `**` at the end), its folders alone.
    fn glob(&mut self, pattern: &str, base: Option<&str>, selection: &Selection) {
        let matches = match glob::glob(base.unwrap_or(pattern)) {
            Ok(matches) => matches,
            Err(error) => return self.faults.push(format!("`{pattern}` is not a path: {error}")),
        };
        let mut any = false;
        for entry in matches {
            match entry {
                Ok(path) => {
                    let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                    if metadata.is_dir() {
                        any = true;
                        self.folder(&path, selection);
                    } else if base.is_none() {
                        any = true;
                        if metadata.is_file() && self.seen.insert(path.clone()) {
                            self.file(&path, &metadata, selection, false);
                        }
                    }
                }
                Err(error) => {
                    self.faults.push(format!("cannot look into `{}`: {}", error.path().display(), error.error()))
                }
            }
        }
        if !any {
            self.faults.push(format!("`{pattern}` matches nothing"));
        }
    }

    fn folder(&mut self, root: &Path, selection: &Selection) {
        let mut folders: Vec<PathBuf> = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            if !self.seen.insert(folder.clone()) {
                continue;
            }
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    self.faults.push(format!("cannot look into `{}`: {error}", folder.display()));
                    continue;
                }
            };
            for entry in entries.flatten() {
                // Links inside a folder are not followed: they may lead out of it, or in circles.
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else if metadata.is_file() && looks_like_trail(&entry.path()) && self.seen.insert(entry.path()) {
                    self.file(&entry.path(), &metadata, selection, false);
                }
            }
        }
    }

    fn file(&mut self, path: &Path, metadata: &fs::Metadata, selection: &Selection, named: bool) {
        let Some(text) = path.to_str() else {
            return self.faults.push(format!("`{}` is not UTF-8; rename it", path.display()));
        };
        let digest = match selection.choose(text) {
            Choice::Digest => true,
            Choice::Log | Choice::Insight => false,
            // Patterns are about the bucket's layout; they say nothing of a file outside it, or named itself.
            Choice::Skip if named || !text.contains("/CloudTrail") => is_digest(text),
            Choice::Skip => {
                self.skipped += 1;
                return;
            }
        };
        self.found.push(Found { path: text.to_owned(), mark: Mark::of(metadata), digest });
    }
}

/// Whether folder or name say that the file is a digest, which is one record as a whole.
pub fn is_digest(path: &str) -> bool {
    path.contains("/CloudTrail-Digest/") || path.contains("_CloudTrail-Digest_")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::types::Pattern;

    fn selection() -> Selection {
        Selection::new(
            &Pattern::containing("/CloudTrail/"),
            &Pattern::default(),
            &Pattern::containing("/CloudTrail-Insight/"),
            &[],
        )
    }

    fn touch(root: &Path, name: &str) -> String {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "{}").unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn folders_globs_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let log = touch(root, "AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02/a.json.gz");
        let digest = touch(root, "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/01/02/d.json.gz");
        touch(root, "AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02/a.json.gz.6Ea7");
        let plain = touch(root, "exports/one.json");
        let whole = walk(&[root.to_str().unwrap().to_owned()], &selection());
        assert_eq!(whole.found.iter().map(|f| &f.path).collect::<Vec<_>>(), [&log, &plain]);
        assert_eq!((whole.skipped, whole.faults.len()), (1, 0));
        let named = walk(std::slice::from_ref(&digest), &selection());
        assert_eq!(named.found.iter().map(|f| (&f.path, f.digest)).collect::<Vec<_>>(), [(&digest, true)]);
        let glob = walk(&[format!("{}/AWSLogs/**/*.gz", root.display()), log.clone()], &selection());
        assert_eq!(glob.found.iter().map(|f| &f.path).collect::<Vec<_>>(), [&log]);
    }

    #[test]
    fn two_stars_at_the_end_are_all_that_is_below() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let log = touch(root, "a/AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/02/a.json.gz");
        touch(root, "a/AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/01/02/d.json.gz");
        let other = touch(root, "b/AWSLogs/444455556666/CloudTrail/us-east-1/2026/01/02/b.json.gz");
        touch(root, "b/elsewhere/c.json");
        for (pattern, expected) in [
            ("a/AWSLogs/**", vec![&log]),
            ("a/AWSLogs/**/", vec![&log]),
            ("a/AWSLogs/**/**", vec![&log]),
            ("*/AWSLogs/**", vec![&log, &other]),
            // Folders, folders in them, and files, each matched by itself.
            ("a/AWSLogs/**/*", vec![&log]),
            ("a/AWSLogs/*", vec![&log]),
        ] {
            let walked = walk(&[format!("{}/{pattern}", root.display())], &selection());
            assert_eq!(walked.found.iter().map(|f| &f.path).collect::<Vec<_>>(), expected, "{pattern}");
            assert_eq!((walked.skipped, walked.faults), (1, Vec::new()), "{pattern}");
        }
    }

    #[test]
    fn the_base_of_two_stars() {
        for (pattern, base) in [
            ("AWSLogs/**", Some("AWSLogs")),
            ("**", Some(".")),
            ("/**", Some("/")),
            ("/a/**/**/", Some("/a")),
            ("/a/**/*.gz", None),
            ("/a**", None),
            ("/a", None),
        ] {
            assert_eq!(all_below(pattern), base, "{pattern}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_inside_a_folder_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path(), "a/x.json");
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
        let walked = walk(&[folder.path().to_str().unwrap().to_owned()], &selection());
        assert_eq!(walked.found.len(), 1);
    }

    #[test]
    fn nothing_there_is_said() {
        for pattern in ["/nowhere/at/all/*.gz", "/nowhere/at/all/**"] {
            let walked = walk(&[pattern.to_owned()], &selection());
            assert_eq!(walked.faults, [format!("`{pattern}` matches nothing")]);
        }
    }
}
