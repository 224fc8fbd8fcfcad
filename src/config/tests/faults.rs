//! What is said about what is wrong, to the letter.

use proptest::prelude::*;

use super::*;

#[test]
fn all_faults_of_a_file_are_told_at_once() {
    assert_eq!(
        complaints(
            r#"output.elasticsearch:
  wroker: 2
  worker: two
  compression_level: 300
  hosts: {a: b}
  timeout: soon
  backoff:
    init: -1s
    inti: 3
  loadbalance: maybe
  batch: 0
  protocol: htps
outputs.file: x
"#,
            &[],
        ),
        r#"t.yml:2:3: output.elasticsearch: unknown setting `wroker`
  wroker: 2
  ^
hint: did you mean `worker`?

t.yml:3:11: output.elasticsearch.worker: `two` is not a whole number
  worker: two
          ^

t.yml:4:22: output.elasticsearch.compression_level: `300` is too large: the most is 255
  compression_level: 300
                     ^

t.yml:5:10: output.elasticsearch.hosts: must be text, not a map of settings
  hosts: {a: b}
         ^

t.yml:6:12: output.elasticsearch.timeout: `soon` is not a duration
  timeout: soon
           ^
hint: write a number with a unit, such as `300s`, `1m30s`, `500ms` or `2h`; a bare number counts seconds

t.yml:8:11: output.elasticsearch.backoff.init: `-1s` is negative, which a duration cannot be
    init: -1s
          ^
hint: write a number with a unit, such as `300s`, `1m30s`, `500ms` or `2h`; a bare number counts seconds

t.yml:9:5: output.elasticsearch.backoff: unknown setting `inti`
    inti: 3
    ^
hint: did you mean `init`?

t.yml:10:16: output.elasticsearch.loadbalance: `maybe` is neither `true` nor `false`
  loadbalance: maybe
               ^

t.yml:11:10: output.elasticsearch.batch: `0` is not a whole number other than 0
  batch: 0
         ^

t.yml:12:13: output.elasticsearch.protocol: `htps` is not one of `http`, `https`
  protocol: htps
            ^
hint: did you mean `https`?

t.yml:13:1: unknown setting `outputs`
outputs.file: x
^
hint: did you mean `output`?"#
    );
}

#[test]
fn faults_spare_what_is_right() {
    let mut config = config("output.elasticsearch: {worker: two, timeout: 7s, nope: 1, hosts: [x, [y]]}");
    let settings: Elasticsearch = config.section("output.elasticsearch");
    assert_eq!(settings.timeout, Period::from_secs(7));
    assert_eq!(settings.worker, 1);
    assert_eq!(settings.hosts, ["x"]);
    assert_eq!(config.take_errors().0.len(), 3);
    assert_eq!(config.finish(), Ok(()));
}

#[test]
fn a_required_setting_is_missed_once() {
    let text = "trailship.inputs:\n- type: aws-s3\n  file_selectors:\n  - {}\n  - regex: '('\n  - regex: ok\n";
    assert_eq!(
        complaints(text, &[]),
        "t.yml:4:5: trailship.inputs[0].file_selectors[0]: `regex` must be set\n  \
         - {}\n    ^\n\n\
         t.yml:5:12: trailship.inputs[0].file_selectors[1].regex: `(` is not a regular expression: unclosed group\n  \
         - regex: '('\n           ^\n\
         hint: the syntax is Go's: without look-around and back-references; quote the pattern with single quotes"
    );
}

#[test]
fn a_section_of_the_wrong_kind_is_one_fault() {
    assert_eq!(
        complaints("output.elasticsearch: yes\n", &[]),
        "t.yml:1:23: output.elasticsearch: must be a map of settings, not a single value\n\
         output.elasticsearch: yes\n                      ^"
    );
    assert_eq!(
        complaints("output: [1]\n", &[]),
        "t.yml:1:9: output: must be a map of settings, not a list\noutput: [1]\n        ^"
    );
}

#[test]
fn two_names_of_one_setting_exclude_each_other() {
    let text = complaints("output.elasticsearch: {worker: 1, workers: 2}", &[]);
    assert!(text.starts_with("t.yml:1:35: output.elasticsearch: `worker` is set twice, by two of its names"), "{text}");
}

#[test]
fn overrides_are_faulted_by_their_own_text() {
    assert_eq!(
        complaints("", &["output.elasticsearch.worker=two"]),
        "-E: output.elasticsearch.worker: `two` is not a whole number\n\
         output.elasticsearch.worker=two\n                            ^"
    );
    assert_eq!(
        complaints("", &["nothing"]),
        "-E: an override has the form `key=value`\nhint: such as `-E output.console.enabled=true`"
    );
}

#[test]
fn secrets_are_shown_to_nobody() {
    let text = "output.elasticsearch: {password: [hunter2], username: {b: hunter3}, worker: two}\n\
        trailship.inputs: [{type: aws-s3, secret_access_key: hunter4, secret_access_key: hunter5, id: [x]}]\n";
    let said = complaints(text, &["output.elasticsearch.password={a: hunter6}"]);
    assert!(!said.contains("hunter4") && !said.contains("hunter5"), "{said}");
    assert!(!said.contains("hunter2") && !said.contains("hunter6"), "{said}");
    assert!(said.contains("-E: output.elasticsearch.password: must be text, not a map of settings"));
    assert!(said.contains("`secret_access_key` is already set at 2:35"));
    assert!(said.contains("worker: `two` is not a whole number\noutput.elasticsearch: {password: [********]"));

    // The caret is still below `two`.
    assert!(said.contains("********], username: {b: hunter3}, worker: two}\n                                                                             ^\n"));

    let broken = complaints("output.elasticsearch:\n  password: \"hunter2\n  worker: 1\n", &[]);
    assert!(broken.starts_with("t.yml:"), "{broken}");
    assert!(!broken.contains("hunter2"), "{broken}");

    let url = complaints("trailship.inputs:\n- {type: aws-s3, queue_url: 'ftp://u:hunter2@h'}\n", &[]);
    assert!(url.contains("`ftp://[redacted]@h` is not a URL"), "{url}");
    assert!(!url.contains("hunter2"), "{url}");
}

#[test]
fn duplicates_name_both_places() {
    assert_eq!(
        complaints("output.elasticsearch:\n  worker: 1\noutput:\n  elasticsearch.worker: 2\n", &[]),
        "t.yml:4:3: `output.elasticsearch.worker` is already set at 2:3\n  \
         elasticsearch.worker: 2\n  ^\nhint: keep one of the two"
    );
}

#[test]
fn unset_variables_warn() {
    let mut config = config("output.elasticsearch:\n  username: ${NOPE}\n  timeout: ${NOPE:7s}\n");
    let settings: Elasticsearch = config.section("output.elasticsearch");
    assert_eq!(settings.username.as_deref(), Some(""));
    assert_eq!(settings.timeout, Period::from_secs(7));
    assert_eq!(config.finish(), Ok(()));
    assert_eq!(
        config.warnings().to_string(),
        "t.yml:2:13: output.elasticsearch.username: the variable `NOPE` is not set, so the value is empty here\n  \
         username: ${NOPE}\n            ^\nhint: set the variable, or give a default: `${NOPE:default}`"
    );
    let text = complaints("output.elasticsearch.worker: ${BLANK}\n", &[]);
    assert!(text.starts_with("t.yml:1:30: output.elasticsearch.worker: a blank value is not a whole number"));
}

#[test]
fn files_that_cannot_be_read_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.yml");
    let binary = folder.path().join("binary.yml");
    std::fs::write(&binary, b"a: 1\nb: \xff\n").unwrap();
    let large = folder.path().join("large.yml");
    std::fs::write(&large, "#".repeat(1_100_000)).unwrap();
    let list = folder.path().join("list.yml");
    std::fs::write(&list, "- a\n").unwrap();
    let files = [missing, binary, large, list, folder.path().to_owned()];
    let errors = load(&files, &[], &environment).unwrap_err();
    let told: Vec<(&str, usize)> = errors.0.iter().map(|error| (error.message.as_str(), error.line)).collect();
    assert_eq!(
        told,
        [
            ("there is no such file", 0),
            ("the file is not UTF-8 text: see line 2", 0),
            ("the file is larger than 1048576 bytes", 0),
            ("a configuration is a map of settings, not a list", 1),
            ("this is a folder, not a file", 0),
        ]
    );
}

#[test]
fn bombs_and_deep_nesting_are_errors() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(complaints(&bomb, &[]).contains("there are more than 20000 values"));
    let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(complaints(&deep, &[]).lines().count(), 3);
}

#[test]
fn any_number_of_faults_ends() {
    let text: String = (0..1000).map(|n| format!("  nope{n}: 1\n")).collect();
    let mut config = config(&format!("output.elasticsearch:\n{text}"));
    let _: Elasticsearch = config.section("output.elasticsearch");
    assert_eq!(config.take_errors().0.len(), 100);
}

/// Free-form text with the words of a configuration in it.
fn scribble() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "output",
        "elasticsearch",
        "trailship",
        "inputs",
        "type",
        "aws-s3",
        "hosts",
        "worker",
        "password",
        "backoff",
        "init",
        "ssl",
        "headers",
        "enabled",
        "filebeat",
        "queue",
        "${WORKERS}",
        "${NOPE:x}",
        "${",
        "$$",
        ": ",
        ":",
        ".",
        "\n",
        "\n  ",
        "\n- ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "'",
        "\"",
        "&a ",
        "*a",
        "<<",
        "1",
        "true",
        "~",
        "|\n  ",
        "#",
        "é",
        "\t",
        "!!str ",
        "5s",
        "-1",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_text_panics(text in scribble(), over in scribble()) {
        let _ = complaints(&text, &[&over]);
    }

    #[test]
    fn a_secret_is_never_told(before in scribble(), after in scribble()) {
        let text = format!("{before}\npassword: hunter2\n{after}");
        prop_assert!(!complaints(&text, &[]).contains("hunter2"));
        let text = format!("output.elasticsearch: {{{before}, password: hunter2, {after}}}");
        prop_assert!(!complaints(&text, &[]).contains("hunter2"));
    }
}
