//! Documents that trailship makes of itself: letters, findings, the ledger.

use serde_json::{Map, Value};

/// Takes out what is null, and objects that are empty then.
pub fn prune(value: &mut Value) {
    let Value::Object(members) = value else { return };
    let taken = std::mem::take(members);
    let kept = taken.into_iter().filter_map(|(key, mut value)| {
        prune(&mut value);
        let is_empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        (!is_empty).then_some((key, value))
    });
    *members = kept.collect();
}
