//! Sections by path and by kind, what nobody has read, and the settings in effect.

use super::*;

#[test]
fn settings_of_filebeat_are_never_merely_unknown() {
    let text = r#"filebeat.inputs:
- type: aws-s3
queue.mem.events: 4096
output.kafka:
  hosts: [k]
output.redis.enabled: false
output.elasticsearch:
  escape_html: true
  kerberos.enabled: false
  indices: [{index: x}]
  ssl.cipher_suites: [x]
trailship.inputs:
- type: aws-s3
  bucket_arn: arn:aws:s3:::x
  expand_event_list_from_field: Records
  sqs.notification_parsing_script.source: x
  sqs.max_receive_count: 5
  frequency: 60
- type: awscloudwatch
- type: aws_s3x
- type: httpjson
  enabled: false
- id: x
"#;
    let mut config = config(text);
    let _: Elasticsearch = config.section("output.elasticsearch");
    for input in config.list("trailship.inputs", &INPUT_KINDS) {
        let _: AwsS3 = config.read(&input);
    }
    let lines = |findings: &[ConfigError]| -> Vec<String> {
        let line = |f: &ConfigError| {
            let hint = f.hint.as_deref().unwrap_or_default();
            format!("{}:{}: {}: {} | {hint}", f.line, f.column, f.path, f.message)
        };
        findings.iter().map(line).collect()
    };
    assert_eq!(
        lines(&config.finish().unwrap_err().0),
        [
            "1:1: filebeat.inputs: this setting of Filebeat is not supported | use `trailship.inputs`; the inputs' settings have the same names",
            "4:1: output.kafka: this setting of Filebeat is not supported | use `output.elasticsearch`, `output.file` or `output.console`",
            "10:3: output.elasticsearch.indices: this setting of Filebeat is not supported | all documents go to one place: use `index`",
            "11:3: output.elasticsearch.ssl.cipher_suites: this setting of Filebeat is not supported | only suites that are held to be safe are offered; leave it out",
            "14:3: trailship.inputs[0].bucket_arn: this setting of Filebeat is not supported | listing a bucket is not in this version yet; let the bucket announce its objects to an SQS queue and set `queue_url`",
            "16:3: trailship.inputs[0].sqs.notification_parsing_script: this setting of Filebeat is not supported | there are no scripts; notifications of S3, SNS, EventBridge and CloudTrail are recognised by themselves",
            "18:3: trailship.inputs[0].frequency: this setting has another name here | use `sqs.poll_interval`",
            "19:9: trailship.inputs[1].type: `awscloudwatch` is not a type of input here | use `aws-cloudwatch`",
            "20:9: trailship.inputs[2].type: `aws_s3x` is not a type of input here | did you mean `aws-s3`?",
            "23:3: trailship.inputs[4]: `type` must be set | known types are `aws-s3`",
        ]
    );
    assert_eq!(
        lines(&config.warnings().0),
        [
            "3:1: queue: this setting of Filebeat has no effect here | there is no queue of events; messages stay in SQS until they are delivered",
            "8:3: output.elasticsearch.escape_html: this setting of Filebeat has no effect here | documents mean the same with and without it",
            "17:3: trailship.inputs[0].sqs.max_receive_count: this setting of Filebeat has no effect here | a message is never deleted for how often it was received; set the queue's redrive policy instead",
        ]
    );
}

#[test]
fn lists_give_their_items_by_kind() {
    let mut config = config(
        "trailship.inputs:\n- {type: aws-s3, id: a, tags: t}\n- {type: aws-s3, enabled: false, id: b, nope: 1}\n- type: aws-s3\n  id: c\n",
    );
    let sections = config.list("trailship.inputs", &INPUT_KINDS);
    let paths: Vec<(&str, &str)> = sections.iter().map(|s| (s.kind(), s.path())).collect();
    assert_eq!(paths, [("aws-s3", "trailship.inputs[0]"), ("aws-s3", "trailship.inputs[2]")]);
    let ids: Vec<String> = sections.iter().map(|s| config.read::<AwsS3>(s).id).collect();
    assert_eq!(ids, ["a", "c"]);
    assert_eq!(config.finish(), Ok(()));
}

#[test]
fn a_single_item_serves_as_a_list() {
    let mut config = config("trailship.inputs: {type: aws-s3, id: a}");
    let sections = config.list("trailship.inputs", &INPUT_KINDS);
    assert_eq!(config.read::<AwsS3>(&sections[0]).id, "a");
    assert_eq!(config.finish(), Ok(()));
    let mut config = super::config("trailship.inputs: aws-s3");
    assert_eq!(config.list("trailship.inputs", &INPUT_KINDS), []);
    let text = config.finish().unwrap_err().to_string();
    assert!(text.starts_with("t.yml:1:19: trailship.inputs: must be a list, not a single value"));
}

#[test]
fn overrides_reach_into_items() {
    let text = "trailship.inputs:\n- {type: aws-s3, id: a}\n";
    let mut config = try_config(text, &["trailship.inputs.0.id=b"]).unwrap();
    let sections = config.list("trailship.inputs", &INPUT_KINDS);
    assert_eq!(config.read::<AwsS3>(&sections[0]).id, "b");
}

#[test]
fn exactly_one_output_is_enabled() {
    let choice = |text: &str| {
        let mut config = config(text);
        let section = config.one_enabled("output", &OUTPUT_KINDS);
        let kind = section.map(|section| section.kind().to_owned());
        let errors = config.finish().map_or_else(|e| e.to_string(), |()| String::new());
        (kind, errors)
    };
    let found = |kind: &str| (Some(kind.to_owned()), String::new());
    assert_eq!(choice("output.file.path: /x"), found("file"));
    assert_eq!(choice("output: {console: {enabled: false}, elasticsearch: {enabled: true}}"), found("elasticsearch"));
    assert_eq!(
        choice("output.console.pretty: true\noutput.file.path: /x\n").1,
        "t.yml:1:1: output.console: only one may be enabled, but `file`, `console` are\n\
         output.console.pretty: true\n^\nhint: set `enabled: false` in the others"
    );
    assert_eq!(
        choice(""),
        (
            None,
            "t.yml: output: none is enabled of `elasticsearch`, `file`, `console`\n\
             hint: write the settings of one of them"
                .to_owned()
        )
    );
    let (kind, errors) = choice("output.kafka.hosts: [k]\n");
    assert_eq!(kind, None);
    assert!(errors.starts_with("t.yml:1:1: output.kafka: this setting of Filebeat is not supported"));
    assert_eq!(errors.matches("t.yml").count(), 1);
}

#[test]
fn sections_may_lie_in_one_another() {
    #[derive(Debug, Default, Deserialize, Serialize)]
    #[serde(deny_unknown_fields, default)]
    struct Trailship {
        shutdown_timeout: Period,
    }
    let mut config = config("trailship:\n  shutdown_timeout: 30s\n  inputs: [{type: aws-s3}]\n");
    assert_eq!(config.list("trailship.inputs", &INPUT_KINDS).len(), 1);
    let trailship: Trailship = config.section("trailship");
    assert_eq!(trailship.shutdown_timeout, Period::from_secs(30));
    assert_eq!(config.finish(), Ok(()));
}

#[test]
fn single_values_are_read_by_path() {
    let mut config = config("memory.budget: 64MiB\nmemory.other: x\n");
    assert_eq!(config.value("memory.budget"), Some(ByteSize::from_mib(64)));
    assert_eq!(config.value::<Period>("memory.none"), None);
    assert_eq!(config.value::<Period>("memory.other"), None);
    let text = config.finish().unwrap_err().to_string();
    assert!(text.starts_with("t.yml:2:15: memory.other: `x` is not a duration"), "{text}");
}

#[test]
fn owners_of_sections_add_their_own_findings() {
    let mut config = config("output.elasticsearch:\n  hosts: x\n  password: p\n");
    let _: Elasticsearch = config.section("output.elasticsearch");
    config.reject("output.elasticsearch.password", "excludes `api_key`", Some("keep one"));
    config.warn("output.elasticsearch.ssl.key", "is not needed", None);
    assert_eq!(
        config.finish().unwrap_err().to_string(),
        "t.yml:3:13: output.elasticsearch.password: excludes `api_key`\n  \
         password: ********\n            ^\nhint: keep one"
    );
    assert_eq!(
        config.warnings().to_string(),
        "t.yml:2:3: output.elasticsearch.ssl.key: is not needed\n  hosts: x\n  ^"
    );
    assert_eq!(config.finish(), Ok(()));
}

#[test]
fn the_settings_in_effect_read_back() {
    let text = "output.elasticsearch:\n  hosts: 'https://u:p@es'\n  password: hunter2\n  headers: {X-A: '$${b}'}\n\
                trailship.inputs:\n- {type: aws-s3, enabled: false}\n- {type: aws-s3, id: a, cloudtrail_regex: '^a$'}\n";
    let mut one = config(text);
    let _: Elasticsearch = one.section("output.elasticsearch");
    for input in one.list("trailship.inputs", &INPUT_KINDS) {
        let _: AwsS3 = one.read(&input);
    }
    let exported = one.canonical();
    assert_eq!(
        exported,
        r#"output:
  elasticsearch:
    backoff:
      init: "1s"
      max: "1m"
    bulk_max_bytes: "8MiB"
    compression_level: 1
    headers:
      X-A: "$${b}"
    hosts:
      - "https://[redacted]@es"
    loadbalance: true
    password: "[redacted]"
    ratio: 0.5
    ssl:
      certificate_authorities: []
    timeout: "1m30s"
    worker: 1
trailship:
  inputs:
    - cloudtrail_regex: "^a$"
      file_selectors: []
      id: a
      secret_access_key: ""
      sqs:
        poll_interval: "0s"
        wait_time: "0s"
      tags: []
      type: aws-s3
      visibility_timeout: "0s"
"#
    );
    let mut two = config(&exported);
    let _: Elasticsearch = two.section("output.elasticsearch");
    for input in two.list("trailship.inputs", &INPUT_KINDS) {
        let _: AwsS3 = two.read(&input);
    }
    assert_eq!(two.finish(), Ok(()));
    assert_eq!(two.canonical(), exported);
}
