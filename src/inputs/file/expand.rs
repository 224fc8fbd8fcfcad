//! What a glob matches, without following links that nobody named.
//!
//! The part of a pattern before its first wildcard is the user's own word: links and `..` in it mean what they mean
//! everywhere. Below it links are followed only when told so, and then a folder is entered once by its true path, so that
//! circles end. Invariant: work is bounded by the folders that there are, whatever links lie in them.

use glob::{Pattern, PatternError};
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

/// What was matched, and what could not be looked into.
#[derive(Debug, Default)]
pub struct Expanded {
    pub paths: Vec<PathBuf>,
    pub faults: Vec<String>,
}

/// One component of a pattern.
enum Step {
    /// `**`: any number of folders.
    Folders,
    Name(String),
    Names(Pattern),
}

/// Everything that `pattern` matches, always in the same order.
///
/// # Errors
/// It is no pattern.
pub fn expand(pattern: &str, follow: bool) -> Result<Expanded, PatternError> {
    // Judges the whole, as a component alone would not show `a**/b`.
    Pattern::new(pattern)?;
    let (base, steps) = steps(pattern)?;
    let (mut expanded, mut seen) = (Expanded::default(), HashSet::new());
    let mut waiting = vec![(base, 0)];
    while let Some((place, at)) = waiting.pop() {
        let Some(step) = steps.get(at) else {
            expanded.paths.push(place);
            continue;
        };
        let entered = if follow { fs::canonicalize(&place).unwrap_or_else(|_| place.clone()) } else { place.clone() };
        if !seen.insert((entered, at)) {
            continue;
        }
        match step {
            Step::Name(name) => {
                let path = place.join(name);
                let is_last = at + 1 == steps.len();
                if kind(&path, follow).is_some_and(|kind| is_last || kind.is_dir()) {
                    waiting.push((path, at + 1));
                }
            }
            Step::Names(names) => {
                let is_last = at + 1 == steps.len();
                for path in entries(&place, &mut expanded.faults) {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    if names.matches(&name) && kind(&path, follow).is_some_and(|kind| is_last || kind.is_dir()) {
                        waiting.push((path, at + 1));
                    }
                }
            }
            Step::Folders => {
                for path in entries(&place, &mut expanded.faults) {
                    if kind(&path, follow).is_some_and(|kind| kind.is_dir()) {
                        waiting.push((path, at));
                    }
                }
                waiting.push((place, at + 1));
            }
        }
    }
    Ok(expanded)
}

/// What lies at `path`; nothing where that is a link that is not followed, or one that leads nowhere.
pub fn kind(path: &Path, follow: bool) -> Option<Metadata> {
    let own = fs::symlink_metadata(path).ok()?;
    match own.is_symlink() {
        true if follow => fs::metadata(path).ok(),
        true => None,
        false => Some(own),
    }
}

/// The components before the first wildcard as a path, and the others.
fn steps(pattern: &str) -> Result<(PathBuf, Vec<Step>), PatternError> {
    let (mut base, mut steps) = (PathBuf::new(), Vec::new());
    if pattern.starts_with('/') {
        base.push("/");
    }
    for component in pattern.split('/').filter(|component| !component.is_empty()) {
        let is_plain = !component.contains(['*', '?', '[']);
        match (component, is_plain) {
            (name, true) if steps.is_empty() => base.push(name),
            (name, true) => steps.push(Step::Name(name.to_owned())),
            // Several in a row mean the same as one.
            ("**", _) if matches!(steps.last(), Some(Step::Folders)) => {}
            ("**", _) => steps.push(Step::Folders),
            (names, false) => steps.push(Step::Names(Pattern::new(names)?)),
        }
    }
    Ok((base, steps))
}

fn entries(folder: &Path, faults: &mut Vec<String>) -> Vec<PathBuf> {
    let looked = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match fs::read_dir(looked) {
        // Joined anew, so that a relative pattern gives paths as it was written.
        Ok(entries) => {
            let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| folder.join(entry.file_name())).collect();
            paths.sort();
            paths
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            faults.push(format!("cannot look into `{}`: {error}", looked.display()));
            Vec::new()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn touch(root: &Path, name: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{}").unwrap();
    }

    /// What the pattern matches below `root`, sorted.
    fn matched(root: &Path, pattern: &str, follow: bool) -> Vec<String> {
        let expanded = expand(&format!("{}/{pattern}", root.display()), follow).unwrap();
        assert_eq!(expanded.faults, Vec::<String>::new(), "{pattern}");
        let below = |path: &PathBuf| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let mut paths: Vec<String> = expanded.paths.iter().map(below).collect();
        paths.sort();
        paths
    }

    /// The meaning of patterns is that of the crate whose syntax they have, in a tree without links.
    #[test]
    fn patterns_match_what_they_match_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["a/x.gz", "a/b/x.gz", "a/b/c/y.gz", "a/.hidden/z.gz", "d/x.json", "d/[1].gz", "x.gz"] {
            touch(root, name);
        }
        for pattern in [
            "*",
            "*.gz",
            "**/*.gz",
            "**/x.gz",
            "a/**/c/*",
            "*/b/*.gz",
            "?/x.*",
            "[ad]/x*",
            "a/**/b/**/y.gz",
            "d/[[]1].gz",
            "**/b/../x.gz",
            "none/*",
            "*/none",
        ] {
            let oracle = glob::glob(&format!("{}/{pattern}", root.display())).unwrap();
            let below = |path: PathBuf| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let mut oracle: Vec<String> = oracle.map(|path| below(path.unwrap())).collect();
            oracle.sort();
            assert_eq!(matched(root, pattern, false), oracle, "{pattern}");
            assert_eq!(matched(root, pattern, true), oracle, "{pattern}");
        }
        assert!(expand("a**/b", false).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_only_when_told_and_circles_end() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
        touch(&root, "a/x.gz");
        touch(&outside, "secret.gz");
        symlink(&outside, root.join("a/out")).unwrap();
        symlink(outside.join("secret.gz"), root.join("a/link.gz")).unwrap();
        symlink(root.join("nowhere"), root.join("a/dangling.gz")).unwrap();
        // Two circles in one folder: by names alone there are 2^40 paths before the system gives up.
        symlink(&root, root.join("a/loop1")).unwrap();
        symlink(root.join("a"), root.join("a/loop2")).unwrap();
        for (pattern, closed, open) in [
            ("**/*.gz", vec!["a/x.gz"], vec!["a/link.gz", "a/out/secret.gz", "a/x.gz"]),
            ("*/*/secret.gz", vec![], vec!["a/out/secret.gz"]),
            ("*/link.gz", vec![], vec!["a/link.gz"]),
            ("a/out/*", vec!["a/out/secret.gz"], vec!["a/out/secret.gz"]),
        ] {
            assert_eq!(matched(&root, pattern, false), closed, "{pattern}");
            let found = matched(&root, pattern, true);
            let names = |paths: &[&str]| -> Vec<String> {
                paths.iter().map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
            };
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            assert_eq!(names(&found), names(&open), "{pattern}: {found:?}");
        }
    }
}
