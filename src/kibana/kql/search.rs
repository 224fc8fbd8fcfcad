//! KQL clauses as Elasticsearch's query DSL, the way Kibana writes them (`@kbn/es-query`, `toElasticsearchQuery`).

use super::{Bound, Node, Value};
use serde_json::{Value as Json, json};

/// The search for a query; every document for none.
pub fn of(root: Option<&Node>) -> Json {
    root.map_or_else(|| json!({"match_all": {}}), clause)
}

fn clause(node: &Node) -> Json {
    match node {
        Node::And(nodes) => json!({"bool": {"filter": nodes.iter().map(clause).collect::<Vec<_>>()}}),
        Node::Or(nodes) => {
            json!({"bool": {"should": nodes.iter().map(clause).collect::<Vec<_>>(), "minimum_should_match": 1}})
        }
        Node::Not(node) => json!({"bool": {"must_not": clause(node)}}),
        Node::Is(None, value) => anywhere(value),
        Node::Is(Some(field), Value::Any) if field == "*" => of(None),
        Node::Is(Some(field), value) => one_of(&is(field, value)),
        Node::Range(field, bound, value) => one_of(&json!({"range": {field: {sign(*bound): value}}})),
    }
}

/// Kibana's clause about a field is a choice between the fields that a name stands for; here always one.
fn one_of(clause: &Json) -> Json {
    json!({"bool": {"should": [clause], "minimum_should_match": 1}})
}

fn is(field: &str, value: &Value) -> Json {
    match value {
        Value::Phrase(text) => json!({"match_phrase": {field: text}}),
        Value::Text(text) => json!({"match": {field: text}}),
        Value::Flag(flag) => json!({"match": {field: flag}}),
        Value::Any => json!({"exists": {"field": field}}),
        Value::Wildcard(pieces) => json!({"query_string": {"fields": [field], "query": query_string(pieces)}}),
    }
}

fn anywhere(value: &Value) -> Json {
    match value {
        Value::Phrase(text) => json!({"multi_match": {"type": "phrase", "query": text, "lenient": true}}),
        Value::Text(text) => json!({"multi_match": {"type": "best_fields", "query": text, "lenient": true}}),
        Value::Flag(flag) => json!({"multi_match": {"type": "best_fields", "query": flag, "lenient": true}}),
        Value::Any => json!({"query_string": {"query": "*"}}),
        Value::Wildcard(pieces) => json!({"query_string": {"query": query_string(pieces)}}),
    }
}

fn sign(bound: Bound) -> &'static str {
    match bound {
        Bound::Less => "lt",
        Bound::LessOrEqual => "lte",
        Bound::More => "gt",
        Bound::MoreOrEqual => "gte",
    }
}

/// The pieces with asterisks between them, what else the query string syntax reserves escaped.
fn query_string(pieces: &[String]) -> String {
    let mut text = String::new();
    for (place, piece) in pieces.iter().enumerate() {
        if place > 0 {
            text.push('*');
        }
        for character in piece.chars() {
            if r#"+-=&|><!(){}[]^"~*?:\/"#.contains(character) {
                text.push('\\');
            }
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::kibana::kql::Query;
    use serde_json::{Value as Json, json};

    fn search(text: &str) -> Json {
        Query::parse(text).unwrap().to_search()
    }

    fn field(clause: &Json) -> Json {
        json!({"bool": {"should": [clause], "minimum_should_match": 1}})
    }

    #[test]
    fn each_form_of_a_clause() {
        for (text, expected) in [
            (r#"a.b: "x y""#, json!({"match_phrase": {"a.b": "x y"}})),
            ("a.b: x y", json!({"match": {"a.b": "x y"}})),
            ("a: 403", json!({"match": {"a": "403"}})),
            ("a: true", json!({"match": {"a": true}})),
            ("a: *", json!({"exists": {"field": "a"}})),
            ("a: *x*", json!({"query_string": {"fields": ["a"], "query": "*x*"}})),
            (r"a: Unit/x-*\:y", json!({"query_string": {"fields": ["a"], "query": r"Unit\/x\-*\:y"}})),
            ("a >= 5", json!({"range": {"a": {"gte": "5"}}})),
            ("a < now-1d", json!({"range": {"a": {"lt": "now-1d"}}})),
        ] {
            assert_eq!(search(text), field(&expected), "{text}");
        }
    }

    #[test]
    fn clauses_without_a_field_ask_all_fields() {
        assert_eq!(search("x y"), json!({"multi_match": {"type": "best_fields", "query": "x y", "lenient": true}}));
        assert_eq!(search("\"x y\""), json!({"multi_match": {"type": "phrase", "query": "x y", "lenient": true}}));
        assert_eq!(search("x*"), json!({"query_string": {"query": "x*"}}));
    }

    #[test]
    fn joins_nest_as_they_are_written() {
        let (a, b) = (field(&json!({"match": {"a": "1"}})), field(&json!({"match": {"b": "2"}})));
        assert_eq!(search("a: 1 and b: 2"), json!({"bool": {"filter": [a, b]}}));
        assert_eq!(search("a: 1 or b: 2"), json!({"bool": {"should": [a, b], "minimum_should_match": 1}}));
        assert_eq!(search("not a: 1"), json!({"bool": {"must_not": a}}));
        assert_eq!(search("not (a: 1 or b: 2)"), {
            json!({"bool": {"must_not": {"bool": {"should": [a, b], "minimum_should_match": 1}}}})
        });
        let c = field(&json!({"match": {"a": "2"}}));
        assert_eq!(search("a: (1 or 2)"), json!({"bool": {"should": [a, c], "minimum_should_match": 1}}));
    }

    #[test]
    fn nothing_finds_every_document() {
        assert_eq!(search(""), json!({"match_all": {}}));
        assert_eq!(search("*: *"), json!({"match_all": {}}));
        assert_eq!(search("a: 1 and *: *"), {
            json!({"bool": {"filter": [field(&json!({"match": {"a": "1"}})), {"match_all": {}}]}})
        });
    }
}
