//! `-E key=value` of the command line: a layer over the files.
//!
//! The value is read as YAML where it begins like a flow list, a flow map or a quoted text;
//! otherwise all of it is the value, and `a,b` is a list where a list is wanted, as in Beats.

use super::redact::{is_secret_path, is_secret_text};
use super::source::{Extent, Place, Problem};
use super::tree::{Again, MAX_DEPTH, Map, Node};
use super::yaml;

/// Reads one override, the `source`-th text, as a tree of its own, with where secrets stand in it.
pub(super) fn parse(source: usize, text: &str) -> Result<(Node, Vec<Extent>), Vec<Problem>> {
    let place = |column| Place { source, line: 1, column };
    let problem = |message: &str, hint: &str| {
        // Without a key nobody can tell whether the text holds a secret.
        let mut problem = Problem::new(place(1), "", message).hint(hint);
        problem.quotable = false;
        Err(vec![problem])
    };
    let Some((key, value)) = text.split_once('=') else {
        return problem("an override has the form `key=value`", "such as `-E output.console.enabled=true`");
    };
    let key = key.trim();
    let parts = key.split('.').count();
    if parts >= MAX_DEPTH || key.split('.').any(|part| part.is_empty()) {
        return problem(
            "an override begins with the name of a setting",
            "names are joined by single dots, such as `output.console.enabled`",
        );
    }
    let column = text.chars().count() - value.trim_start().chars().count() + 1;
    let value = value.trim();
    let end = (1, text.chars().count() + 1);
    let mut secrets = Vec::new();
    let mut node = if value.starts_with(['[', '{', '"', '\'']) {
        let document = yaml::parse_at(source, value, column - 1, parts);
        if !document.problems.is_empty() {
            let unquoted = |problem| Problem { quotable: false, ..problem };
            return Err(document.problems.into_iter().map(unquoted).collect());
        }
        secrets = document.secrets;
        document.root
    } else {
        Node::scalar(place(column), value, true)
    };
    node.end = end;
    if is_secret_path(key) || is_secret_text(value) {
        secrets = vec![node.extent()];
    }
    let mut map = Map::default();
    let mut problems = Vec::new();
    map.insert(key, place(1), node, Again::Refused, &mut problems);
    Ok((Node::map(place(1), map), secrets))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tree::Value;
    use super::*;
    use proptest::prelude::*;

    fn fault(text: &str) -> String {
        parse(0, text).unwrap_err().remove(0).message
    }

    #[test]
    fn a_value_is_all_that_follows() {
        let (node, secrets) = parse(2, "output.elasticsearch.password=a: b #c=d, e").unwrap();
        let password = node.find("output.elasticsearch.password").unwrap();
        let Value::Scalar(scalar) = &password.value else { unreachable!("another kind of value") };
        assert_eq!(scalar.text, "a: b #c=d, e");
        assert!(scalar.plain && scalar.loose);
        assert_eq!((password.place.source, password.place.column), (2, 31));
        assert_eq!(password.end, (1, 43));
        assert_eq!(secrets, [password.extent()]);
    }

    #[test]
    fn flow_values_are_yaml() {
        let (node, _) = parse(0, "a.b=[x, {c: 'y'}]").unwrap();
        let Value::Scalar(scalar) = &node.find("a.b[1].c").unwrap().value else {
            unreachable!("another kind of value")
        };
        assert_eq!(scalar.text, "y");
        assert_eq!(node.find("a.b[1].c").unwrap().place.column, 13);
        assert!(fault("a=[x").starts_with("not valid YAML: "));
    }

    #[test]
    fn an_empty_value_unsets() {
        let (node, _) = parse(0, "a.b=").unwrap();
        assert!(node.find("a.b").unwrap().is_null());
    }

    #[test]
    fn what_is_no_override_is_refused() {
        assert_eq!(fault("a.b"), "an override has the form `key=value`");
        for text in ["=x", "a..b=x", ".=x", &format!("{}=x", vec!["a"; 70].join("."))] {
            assert_eq!(fault(text), "an override begins with the name of a setting");
        }
        let deep = format!("a.b={}{}", "[".repeat(64), "]".repeat(64));
        assert_eq!(fault(&deep), "settings are nested deeper than 64 levels");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r"[a-c.]{0,5}=?[\[{'a-c,: }\]=-]{0,20}") {
            let _ = parse(0, &text);
        }
    }
}
