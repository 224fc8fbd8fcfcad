//! What a server has stored under the name of a template or policy, and what that means for ours.
//!
//! What a newer trailship made stays, always; what somebody else made stays unless overwriting is asked for.

use super::template::{MANAGED_BY, version};
use serde_json::Value;
use std::fmt;

/// What is stored under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Nothing,
    Ours { version: u64, release: String, fingerprint: String },
    Foreign,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    Create,
    Update,
    /// The same is there.
    Leave,
    /// A newer one is there.
    Keep,
    /// Somebody else's is there.
    Refuse,
}

impl Found {
    /// Reads the answer to `GET _component_template/NAME` or `GET _index_template/NAME`.
    pub fn read(answer: Option<&Value>) -> Found {
        let Some(answer) = answer else {
            return Found::Nothing;
        };
        let stored = ["component_template", "index_template"]
            .iter()
            .find_map(|kind| answer.pointer(&format!("/{kind}s/0/{kind}")));
        let Some(stored) = stored else {
            return Found::Nothing;
        };
        let meta = |name: &str| stored.get("_meta").and_then(|meta| meta.get(name)).and_then(Value::as_str);
        if meta("managed_by") != Some(MANAGED_BY) {
            return Found::Foreign;
        }
        Found::Ours {
            version: stored.get("version").and_then(Value::as_u64).unwrap_or(0),
            release: meta("version").unwrap_or("unknown").to_owned(),
            fingerprint: meta("fingerprint").unwrap_or_default().to_owned(),
        }
    }

    /// What to do, given the fingerprint of what is wanted; with `overwrite`, also about what somebody else made or
    /// changed.
    pub fn plan(&self, wanted: &str, overwrite: bool) -> Plan {
        match self {
            Found::Nothing => Plan::Create,
            Found::Foreign if overwrite => Plan::Update,
            Found::Foreign => Plan::Refuse,
            Found::Ours { version: theirs, .. } if *theirs > version() => Plan::Keep,
            Found::Ours { .. } if overwrite => Plan::Update,
            Found::Ours { fingerprint, .. } if wanted == fingerprint => Plan::Leave,
            Found::Ours { .. } => Plan::Update,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Nothing => formatter.write_str("nothing"),
            Found::Ours { release, fingerprint, .. } => write!(formatter, "version {release}, content {fingerprint}"),
            Found::Foreign => formatter.write_str("somebody else's"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stored(version: u64, fingerprint: &str) -> Found {
        Found::read(Some(&json!({"index_templates": [{"name": "x", "index_template": {
            "version": version, "_meta": {"managed_by": "trailship", "version": "9.9.9", "fingerprint": fingerprint},
        }}]})))
    }

    #[test]
    fn what_is_there_decides() {
        let foreign =
            Found::read(Some(&json!({"component_templates": [{"name": "x", "component_template": {"version": 1}}]})));
        let (older, newer) = (version() - 1, version() + 1);
        for (found, overwrite, plan) in [
            (Found::read(None), false, Plan::Create),
            (Found::read(Some(&json!({"index_templates": []}))), false, Plan::Create),
            (foreign.clone(), false, Plan::Refuse),
            (foreign, true, Plan::Update),
            (stored(older, "other"), false, Plan::Update),
            (stored(older, "same"), false, Plan::Leave),
            (stored(version(), "same"), false, Plan::Leave),
            (stored(version(), "same"), true, Plan::Update),
            (stored(version(), "other"), false, Plan::Update),
            (stored(newer, "other"), false, Plan::Keep),
            (stored(newer, "other"), true, Plan::Keep),
        ] {
            assert_eq!(found.plan("same", overwrite), plan, "{found:?} {overwrite}");
        }
    }
}
