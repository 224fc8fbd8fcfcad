//! The name that a writer most likely meant.
//!
//! Counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
//! A name is near if at most a third of it differs; case and `-` for `_` do not count.

/// The nearest of the names, or nothing if none is near.
pub fn nearest<'a, I>(word: &str, names: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    let folded = fold(word);
    let allowed = (folded.len() / 3).max(1);
    names
        .into_iter()
        // Names are short: what is far longer cannot be near, and need not be measured.
        .filter(|name| name.len().abs_diff(word.len()) <= allowed * 4)
        .map(|name| (distance(&folded, &fold(name)), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Longest word that is measured, in characters; anything longer is no misspelt name.
const LONGEST: usize = 100;

fn fold(word: &str) -> Vec<char> {
    word.chars().take(LONGEST).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

fn distance(left: &[char], right: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut current = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut best = replaced.min(last[j + 1] + 1).min(current[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before_last[j - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["hosts", "worker", "compression_level", "timeout"];

    #[test]
    fn finds_the_misspelt() {
        assert_eq!(nearest("wroker", NAMES), Some("worker"));
        assert_eq!(nearest("host", NAMES), Some("hosts"));
        assert_eq!(nearest("Timeout", NAMES), Some("timeout"));
        assert_eq!(nearest("compresion-level", NAMES), Some("compression_level"));
    }

    #[test]
    fn does_not_guess_wildly() {
        assert_eq!(nearest("kerberos", NAMES), None);
        assert_eq!(nearest("", NAMES), None);
        assert_eq!(nearest(&"x".repeat(100_000), NAMES), None);
    }

    #[test]
    fn counts_edits() {
        let count = |a: &str, b: &str| distance(&fold(a), &fold(b));
        assert_eq!(count("", "abc"), 3);
        assert_eq!(count("abc", "abc"), 0);
        assert_eq!(count("abc", "acb"), 1);
        assert_eq!(count("kitten", "sitting"), 3);
    }
}
