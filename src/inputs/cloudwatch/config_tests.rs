#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::{Value, json};

const ARN: &str = "arn:aws:logs:eu-west-1:111122223333:log-group:my/trail";

fn read(config: Value) -> CloudWatchConfig {
    serde_json::from_value(config).unwrap()
}

fn keys(config: &Value) -> Vec<&'static str> {
    read(config.clone()).problems().iter().map(|problem| problem.key).collect()
}

#[test]
fn a_group_and_its_region_are_all_that_is_needed() {
    for config in [
        json!({"log_group_name": "trail", "region_name": "eu-west-1"}),
        json!({"log_group_name": "trail", "default_region": "eu-west-1"}),
        json!({"log_group_name_prefix": "/aws/", "region_name": "us-gov-east-1"}),
        json!({"log_group_arn": ARN}),
        json!({"log_group_arn": format!("{ARN}:*")}),
    ] {
        assert_eq!(read(config.clone()).problems(), [], "{config}");
    }
}

#[test]
fn what_excludes_or_requires_what_is_named() {
    let with = |key: &str, value: Value| {
        let mut config = json!({"log_group_name": "trail", "region_name": "eu-west-1"});
        config[key] = value;
        config
    };
    for (config, expected) in [
        (json!({}), vec!["log_group_name"]),
        (json!({"log_group_name": "trail"}), vec!["log_group_name"]),
        (json!({"log_group_name_prefix": "trail"}), vec!["log_group_name_prefix"]),
        (json!({"log_group_arn": ARN, "log_group_name": "trail"}), vec!["log_group_name"]),
        (json!({"log_group_arn": ARN, "log_group_name_prefix": "trail"}), vec!["log_group_name_prefix"]),
        (json!({"log_group_arn": ARN, "region_name": "eu-west-1"}), vec!["region_name"]),
        (json!({"log_group_arn": "arn:aws:s3:::bucket"}), vec!["log_group_arn"]),
        (json!({"log_group_arn": "arn:aws:logs:eu-west-1:111122223333:destination:d"}), vec!["log_group_arn"]),
        (json!({"log_group_arn": format!("{ARN}:log-stream:s")}), vec!["log_group_arn"]),
        (with("log_group_name_prefix", json!("t")), vec!["log_group_name_prefix"]),
        (with("region_name", json!("Ireland")), vec!["region_name"]),
        (with("include_linked_accounts_for_prefix_mode", json!(true)), vec!["include_linked_accounts_for_prefix_mode"]),
        (with("log_streams", json!(vec!["s"; 101])), vec!["log_streams"]),
        (with("scan_frequency", json!("100ms")), vec!["scan_frequency"]),
        (with("api_timeout", json!("0s")), vec!["api_timeout"]),
        (with("overlap", json!("25h")), vec!["overlap"]),
        (with("number_of_workers", json!(0)), vec!["number_of_workers"]),
        (with("requests_per_second", json!(0)), vec!["requests_per_second"]),
        (with("access_key_id", json!("AKIA")), vec!["access_key_id"]),
    ] {
        assert_eq!(keys(&config), expected, "{config}");
    }
    let both = json!({"log_group_arn": ARN, "log_streams": ["a"], "log_stream_prefix": "b"});
    assert_eq!(keys(&both), ["log_stream_prefix"]);
}

#[test]
fn positions_are_spelt_as_in_filebeat() {
    for (text, expected) in
        [("beginning", StartPosition::Beginning), ("end", StartPosition::End), ("lastSync", StartPosition::LastSync)]
    {
        assert_eq!(read(json!({"start_position": text})).start_position, expected);
    }
    assert!(serde_json::from_value::<CloudWatchConfig>(json!({"start_position": "middle"})).is_err());
}

#[test]
fn an_arn_tells_region_account_and_name() {
    let config = read(json!({"log_group_arn": format!("{ARN}:*")}));
    assert_eq!(config.aws().region.as_deref(), Some("eu-west-1"));
    let wanted =
        Wanted::Arn { identifier: ARN.to_owned(), account: "111122223333".to_owned(), name: "my/trail".to_owned() };
    assert_eq!(config.wanted(), wanted);
}

#[test]
fn secrets_are_not_shown() {
    let config = read(json!({"log_group_arn": ARN, "access_key_id": "AKIAEXAMPLE", "secret_access_key": "hush-hush"}));
    let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
    assert!(!shown.contains("hush") && !shown.contains("AKIAEXAMPLE"));
}
