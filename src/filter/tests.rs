//! Rules as their author meets them: YAML and a record in, a document or a complaint out. What is expected is what
//! Beats' documentation of its processors says.
#![allow(clippy::unwrap_used, clippy::panic)]

mod changes;
mod conditions;
mod faults;
mod inputs;

use super::{Fate, Filter, Own, Rules, processors};
use crate::config::{self, Config};
use crate::ecs::{Mapper, Origin, Position, Settings, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

/// A record with values of every type.
fn record() -> Value {
    json!({
        "eventVersion": "1.11", "eventTime": "2026-11-20T09:59:58Z", "eventSource": "kms.amazonaws.com",
        "eventName": "Decrypt", "awsRegion": "eu-west-1", "sourceIPAddress": "10.1.2.3", "userAgent": "aws-cli/2.1",
        "errorCode": "-", "readOnly": true, "managementEvent": true, "eventID": "e-1", "eventType": "AwsApiCall",
        "recipientAccountId": "012345678901",
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::012345678901:assumed-role/ci/build"},
        "requestParameters": {"keyId": "k-1", "limit": 500, "rate": 1e300, "tags": ["a", "bc"], "nested": {"x": {"y": "z"}}},
        "resources": [{"ARN": "arn:aws:kms:::key/1", "type": "AWS::KMS::Key"}, {"ARN": "arn:aws:kms:::key/2"}],
    })
}

fn loaded(yaml: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.yml");
    std::fs::write(&file, yaml).unwrap();
    config::load(&[file], &[], &|_| None).unwrap()
}

/// The rules of a list of processors.
fn rules(yaml: &str) -> Rules {
    let mut config = loaded(&format!("processors:\n{yaml}\n"));
    let all = processors(&mut config, "processors");
    config.finish().unwrap_or_else(|errors| panic!("{yaml}: {errors}"));
    Rules::new(&Settings::default(), Own::default(), &all)
}

/// What is shipped of a record; nothing when a rule drops it.
fn shipped(rules: &Rules, record: &Value) -> Option<Value> {
    let mut text = Vec::new();
    let origin = Origin::default();
    let (mut mapper, mut filter) = (Mapper::new(Arc::new(Settings::default())), Filter::default());
    let at = Position { tags: rules.tags(), ..Position::new(&origin, 0) };
    let now = Timestamp::from_unix_nanos(1_795_168_800_123_456_789);
    let record = record.to_string();
    let mapped = mapper
        .map_unless(record.as_bytes(), at, now, &mut |raw| rules.unwanted(raw, &mut filter).is_some())
        .unwrap()?;
    match filter.apply(rules, mapped) {
        Fate::Dropped(_) => None,
        Fate::Shipped(document) => {
            document.write(&mut text);
            Some(serde_json::from_slice(&text).unwrap())
        }
    }
}

/// The document of [`record`] after a list of processors.
fn after(yaml: &str) -> Value {
    shipped(&rules(yaml), &record()).unwrap()
}
