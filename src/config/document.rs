//! A document that is no configuration: YAML to one struct, taken as it was written.
//!
//! For what the program itself brings along, such as the sources of dashboards. No environment is expanded and no layer
//! lies above another; faults have file, line and column like those of settings.

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use super::error::{ConfigError, ConfigErrors};
use super::read::{self, Kind, Located};
use super::source::{Problem, Source, enumerate};
use super::{nearest, yaml};

/// Reads a whole document. `name` is its file as messages call it.
///
/// # Errors
/// Everything that is wrong with the text, each with its place.
pub fn document<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, ConfigErrors> {
    let parsed = yaml::parse(0, text);
    let source = Source::file(name.to_owned(), text.to_owned());
    let faults = |problems: Vec<Problem>| {
        ConfigErrors(problems.into_iter().map(|problem| source.report(problem)).collect::<Vec<ConfigError>>())
    };
    if !parsed.problems.is_empty() {
        return Err(faults(parsed.problems));
    }
    let section = read::Section { node: &parsed.root, path: "", claimed: &HashSet::new(), framed: false };
    match read::read(&section) {
        (Some(value), found) if found.is_empty() => Ok(value),
        (_, found) => Err(faults(found.into_iter().map(problem).collect())),
    }
}

fn problem(fault: Located) -> Problem {
    let Located { kind, hint, quotable, path, place, .. } = fault;
    let (message, hint) = match kind {
        Kind::Unknown { key, known } => {
            let near = nearest(&key, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            (format!("there is no `{key}` here"), near.or_else(|| Some(format!("there are {}", enumerate(known)))))
        }
        kind => (kind.to_string(), hint),
    };
    Problem { place, path, message, hint, quotable }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        title: String,
        #[serde(default)]
        notes: Vec<String>,
    }

    fn texts(text: &str) -> Vec<String> {
        let errors = document::<Page>("page.yml", text).unwrap_err();
        errors.0.iter().map(ConfigError::to_string).collect()
    }

    #[test]
    fn takes_texts_as_they_are_written() {
        let page: Page = document("page.yml", "title: ${HOME}\nnotes: [a.b, 'c']\n").unwrap();
        assert_eq!(page, Page { title: "${HOME}".to_owned(), notes: vec!["a.b".to_owned(), "c".to_owned()] });
    }

    #[test]
    fn faults_have_a_place() {
        assert_eq!(
            texts("title: a\nnote: b\n"),
            ["page.yml:2:1: there is no `note` here\nnote: b\n^\nhint: did you mean `notes`?"]
        );
        assert_eq!(texts("notes: []\n"), ["page.yml:1:1: `title` must be set\nnotes: []\n^"]);
        assert!(texts("title: [\n")[0].starts_with("page.yml:"), "{:?}", texts("title: [\n"));
    }
}
