//! Finds the files that `paths` name: files, folders (read whole) and globs.

use super::expand::{expand, kind};
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
    /// Folders that are read, and files below them: a glob may match a folder and what is in it. True paths where links
    /// are followed.
    seen: HashSet<PathBuf>,
    follow: bool,
}

/// Looks up every path once, in order. What a path names itself is looked up through links; those below it are followed
/// with `symlinks` alone.
pub fn walk(paths: &[String], selection: &Selection, symlinks: bool) -> Walk {
    let mut walk = Walk { follow: symlinks, ..Walk::default() };
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
        let mut expanded = match expand(base.unwrap_or(pattern), self.follow) {
            Ok(expanded) => expanded,
            Err(error) => return self.faults.push(format!("`{pattern}` is not a path: {error}")),
        };
        self.faults.append(&mut expanded.faults);
        // What is no link goes first, so that of two paths to one file always the same one is taken.
        expanded.paths.sort_by_cached_key(|path| (self.follow && path.is_symlink(), path.clone()));
        let mut any = false;
        for path in expanded.paths {
            let Some(metadata) = kind(&path, self.follow) else { continue };
            if metadata.is_dir() {
                any = true;
                self.folder(&path, selection);
            } else if base.is_none() {
                any = true;
                self.entry(&path, &metadata, selection);
            }
        }
        if !any {
            self.faults.push(format!("`{pattern}` matches nothing"));
        }
    }

    fn folder(&mut self, root: &Path, selection: &Selection) {
        let (mut folders, mut links) = (vec![root.to_owned()], Vec::<PathBuf>::new());
        loop {
            let Some(folder) = folders.pop() else {
                // All that is no link is seen by now, so that of two paths to one file always the same one is taken.
                links.sort_unstable_by(|a, b| b.cmp(a));
                let Some(link) = links.pop() else { return };
                match kind(&link, true) {
                    Some(metadata) if metadata.is_dir() => folders.push(link),
                    Some(metadata) if looks_like_trail(&link) => self.entry(&link, &metadata, selection),
                    _ => {}
                }
                continue;
            };
            if !self.is_new(&folder) {
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
                // Links inside a folder may lead out of it, or in circles.
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_symlink() {
                    links.extend(self.follow.then(|| entry.path()));
                } else if metadata.is_dir() {
                    folders.push(entry.path());
                } else if looks_like_trail(&entry.path()) {
                    self.entry(&entry.path(), &metadata, selection);
                }
            }
        }
    }

    /// A file below a folder, or one that a glob matches.
    fn entry(&mut self, path: &Path, metadata: &fs::Metadata, selection: &Selection) {
        if metadata.is_file() && self.is_new(path) {
            self.file(path, metadata, selection, false);
        }
    }

    fn is_new(&mut self, path: &Path) -> bool {
        let known =
            if self.follow { fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() };
        self.seen.insert(known)
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
        let whole = walk(&[root.to_str().unwrap().to_owned()], &selection(), false);
        assert_eq!(whole.found.iter().map(|f| &f.path).collect::<Vec<_>>(), [&log, &plain]);
        assert_eq!((whole.skipped, whole.faults.len()), (1, 0));
        let named = walk(std::slice::from_ref(&digest), &selection(), false);
        assert_eq!(named.found.iter().map(|f| (&f.path, f.digest)).collect::<Vec<_>>(), [(&digest, true)]);
        let glob = walk(&[format!("{}/AWSLogs/**/*.gz", root.display()), log.clone()], &selection(), false);
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
            let walked = walk(&[format!("{}/{pattern}", root.display())], &selection(), false);
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
        let walked = walk(&[folder.path().to_str().unwrap().to_owned()], &selection(), false);
        assert_eq!(walked.found.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn with_symlinks_each_file_is_found_once_and_circles_end() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let inside = touch(&root, "b/x.json");
        let outside = touch(folder.path(), "outside/y.json");
        symlink(&root, root.join("b/loop")).unwrap();
        symlink(&inside, root.join("a.json")).unwrap();
        symlink(folder.path().join("outside"), root.join("out")).unwrap();
        symlink(&outside, root.join("again.json")).unwrap();
        symlink(root.join("nowhere"), root.join("dangling.json")).unwrap();
        let root = root.to_str().unwrap();
        for pattern in [root.to_owned(), format!("{root}/**"), format!("{root}/**/*.json")] {
            let paths = std::slice::from_ref(&pattern);
            let found = walk(paths, &selection(), false).found;
            assert_eq!(found.iter().map(|found| &found.path).collect::<Vec<_>>(), [&inside], "{pattern}");
            let walked = walk(paths, &selection(), true);
            let found: Vec<&String> = walked.found.iter().map(|found| &found.path).collect();
            assert_eq!((found.len(), walked.faults.len()), (2, 0), "{pattern}: {found:?}");
            assert!(found.contains(&&inside), "{pattern}: by its own path");
            // Both links to it are as good; which is taken is always the same.
            assert_eq!(walk(paths, &selection(), true).found, walked.found);
        }
        let named = walk(&[format!("{root}/a.json"), format!("{root}/out")], &selection(), false);
        assert_eq!(named.found.len(), 2, "what is named itself is read through links");
    }

    #[test]
    fn nothing_there_is_said() {
        for pattern in ["/nowhere/at/all/*.gz", "/nowhere/at/all/**"] {
            let walked = walk(&[pattern.to_owned()], &selection(), false);
            assert_eq!(walked.faults, [format!("`{pattern}` matches nothing")]);
        }
    }
}
