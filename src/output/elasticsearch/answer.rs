//! Reads the answer to a `_bulk` request: how many items, and those worth a look.
//!
//! Nearly all items of nearly all answers say no more than 201, so only the others are kept. What they mean is not
//! judged here.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// The parts of an answer that are asked for. `status` keeps every item, so that positions match the request;
/// `failure_store` tells of documents that went to the failure store although nothing is called an error.
pub const FILTER_PATH: &str = "errors,items.*.status,items.*.error,items.*.failure_store";

/// An answer, shortened.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    /// Items in it.
    pub count: usize,
    /// Items that are not plainly 2xx, with their position.
    pub notable: Vec<(usize, Item)>,
}

/// What the server says of one document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Item {
    pub status: u16,
    /// `error.type`, such as `document_parsing_exception`.
    pub kind: String,
    /// `error.reason` with what caused it. May quote the document.
    pub reason: String,
    /// The document lies in the data stream's failure store.
    pub in_failure_store: bool,
}

impl Answer {
    /// Reads the body of an answer with status 200.
    ///
    /// # Errors
    /// It is not the JSON of a bulk answer; says why.
    pub fn read(body: &[u8]) -> Result<Answer, String> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let answer = Top::deserialize(&mut reader).map_err(|fault| fault.to_string())?;
        reader.end().map_err(|fault| fault.to_string())?;
        Ok(answer.items.0)
    }
}

/// The text of `{"error": {..}}` as servers answer whole requests, or the start of whatever came instead.
pub fn error_of(body: &[u8]) -> Item {
    #[derive(Deserialize)]
    struct Refusal {
        error: Value,
    }
    let mut item = Item::default();
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => describe(&refusal.error, &mut item),
        Err(_) => item.reason = String::from_utf8_lossy(body).chars().take(200).collect(),
    }
    item
}

#[derive(Deserialize)]
struct Top {
    #[serde(default)]
    items: Items,
}

#[derive(Default)]
struct Items(Answer);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Items, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Items;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
                let mut answer = Answer::default();
                while let Some(item) = list.next_element_seed(OneItem)? {
                    let is_plain = (200..300).contains(&item.status) && !item.in_failure_store;
                    if !is_plain {
                        answer.notable.push((answer.count, item));
                    }
                    answer.count += 1;
                }
                Ok(Items(answer))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// `{"create": {..}}`, whatever the action is called.
struct OneItem;

impl<'de> DeserializeSeed<'de> for OneItem {
    type Value = Item;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Item, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneItem {
    type Value = Item;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an item with its action")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        let mut item = Item::default();
        while map.next_key::<IgnoredAny>()?.is_some() {
            item = Item::from(map.next_value::<Told>()?);
        }
        Ok(item)
    }
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    status: u16,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    failure_store: Value,
}

impl From<Told> for Item {
    fn from(told: Told) -> Item {
        let is_success = (200..300).contains(&told.status);
        let mut item = Item { status: told.status, ..Item::default() };
        describe(&told.error, &mut item);
        // The key stands on the item by the API's specification, inside `error` by its documentation.
        let within = told.error.get("failure_store").and_then(Value::as_str);
        item.in_failure_store = is_success && told.failure_store.as_str().or(within) == Some("used");
        item
    }
}

fn describe(error: &Value, item: &mut Item) {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(plain) = error.as_str() {
        item.reason = plain.to_owned();
        return;
    }
    item.kind = text(error, "type");
    item.reason = text(error, "reason");
    if let Some(cause) = error.get("caused_by") {
        let deeper = text(cause, "reason");
        if !deeper.is_empty() && deeper != item.reason {
            item.reason = format!("{}: {deeper}", item.reason);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Answer {
        Answer::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn plain_items_are_only_counted() {
        let answer = read(r#"{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":200}}]}"#);
        assert_eq!(answer, Answer { count: 2, notable: vec![] });
        assert_eq!(read(r#"{"took":1,"items":[]}"#).count, 0);
        assert_eq!(read("{}").count, 0);
    }

    #[test]
    fn errors_keep_their_position_and_text() {
        let answer = read(
            r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,"error":{"type":"document_parsing_exception",
               "reason":"failed to parse","caused_by":{"type":"x","reason":"not an ip"}}}},{"index":{"status":429,"error":"busy"}}]}"#,
        );
        assert_eq!(answer.count, 3);
        let item = |status, kind: &str, reason: &str| Item {
            status,
            kind: kind.into(),
            reason: reason.into(),
            in_failure_store: false,
        };
        let expected = vec![
            (1, item(400, "document_parsing_exception", "failed to parse: not an ip")),
            (2, item(429, "", "busy")),
        ];
        assert_eq!(answer.notable, expected);
    }

    #[test]
    fn the_failure_store_is_seen_in_both_places_and_only_when_used() {
        for (item, used) in [
            (r#"{"status":201,"failure_store":"used"}"#, true),
            (r#"{"status":201,"error":{"failure_store":"used"}}"#, true),
            (r#"{"status":201,"failure_store":"not_applicable_or_unknown"}"#, false),
            (r#"{"status":400,"failure_store":"failed","error":{"type":"t","reason":"r"}}"#, false),
        ] {
            let answer = read(&format!(r#"{{"errors":false,"items":[{{"create":{item}}}]}}"#));
            assert_eq!(answer.notable.iter().any(|(_, item)| item.in_failure_store), used, "{item}");
        }
    }

    #[test]
    fn what_is_no_bulk_answer_is_an_error() {
        for text in [
            "",
            "<html>",
            r#"{"items":[{"create":{"status":201}}"#,
            r#"{"items":[{"create":{"status":99999}}]}"#,
            "{}{}",
        ] {
            assert!(Answer::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_is_described() {
        let item =
            error_of(br#"{"error":{"type":"security_exception","reason":"missing authentication"},"status":401}"#);
        assert_eq!((item.kind.as_str(), item.reason.as_str()), ("security_exception", "missing authentication"));
        assert_eq!(error_of(br#"{"error":"alias is read-only","status":403}"#).reason, "alias is read-only");
        assert_eq!(error_of("<h1>413</h1>".as_bytes()).reason, "<h1>413</h1>");
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in r#"[\{\}\[\]",:a-z0-9]{0,60}"#) {
            let _ = Answer::read(&bytes);
            let _ = Answer::read(text.as_bytes());
            error_of(&bytes);
        }
    }
}
