//! What is wrong with rules is told when the configuration is read, with its place.

use super::{loaded, processors};
use crate::filter::Own;

/// The complaints about a list of processors: line, column, path, message, hint.
fn complaints(yaml: &str) -> Vec<String> {
    let mut config = loaded(&format!("processors:\n{yaml}\n"));
    processors(&mut config, "processors");
    match config.finish() {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .0
            .iter()
            .map(|error| {
                let hint = error.hint.as_deref().unwrap_or_default();
                format!("{}:{}: {}: {} | {hint}", error.line, error.column, error.path, error.message)
            })
            .collect(),
    }
}

#[test]
fn each_fault_has_its_place_and_advice() {
    let mut told = Vec::new();
    for (yaml, expected) in [
        (
            "- drop_evnt: {when: {}}",
            "2:3: processors[0].drop_evnt: unknown processor `drop_evnt` | did you mean `drop_event`?",
        ),
        (
            "- frobnicate: {}",
            "2:3: processors[0].frobnicate: unknown processor `frobnicate` | valid here are `drop_event`, `drop_fields`, `include_fields`, `add_fields`, `add_tags`, `rename`, `truncate_fields`",
        ),
        (
            "- add_host_metadata:",
            "2:3: processors[0].add_host_metadata: the processor `add_host_metadata` is not supported | leave it out; nothing about this host is added to documents",
        ),
        (
            "- drop_event:",
            "2:3: processors[0].drop_event: `when` is missing, so that every record would be dropped | say which records, such as `when.equals.eventName: Decrypt`",
        ),
        (
            "- drop_event: {when: {}}",
            "2:22: processors[0].drop_event.when: a condition is missing | join several in a list under `and` or `or`",
        ),
        (
            "- drop_event: {when: {equals: {eventName: a}, regexp: {eventName: b}}}",
            "2:22: processors[0].drop_event.when: one condition is wanted here, not 2 | join several in a list under `and` or `or`",
        ),
        (
            "- drop_event: {when: {equal: {eventName: a}}}",
            "2:23: processors[0].drop_event.when.equal: unknown setting `equal` | did you mean `equals`?",
        ),
        (
            "- drop_event: {when: {equals: {evenName: a}}}",
            "2:32: processors[0].drop_event.when.equals.evenName: `evenName` is neither a field of documents nor a member of records | did you mean `eventName`?",
        ),
        (
            "- drop_event: {when: {equals: {eventName: [a, b]}}}",
            "2:43: processors[0].drop_event.when.equals.eventName: must be text, not a list | write one value",
        ),
        (
            "- drop_event: {when: {equals: {}}}",
            "2:31: processors[0].drop_event.when.equals: no field is named | write `field: value`",
        ),
        (
            "- drop_event: {when: {regexp: {eventName: '('}}}",
            "2:43: processors[0].drop_event.when.regexp.eventName: `(` is not a regular expression: unclosed group | the syntax is Go's: without look-around and back-references; quote the pattern with single quotes",
        ),
        (
            "- drop_event: {when: {regexp: {eventName: ''}}}",
            "2:43: processors[0].drop_event.when.regexp.eventName: the pattern is blank | write a regular expression",
        ),
        (
            "- drop_event: {when: {range: {eventVersion.gtte: 1}}}",
            "2:31: processors[0].drop_event.when.range.eventVersion.gtte: unknown bound `gtte` | did you mean `gte`?",
        ),
        (
            "- drop_event: {when: {range: {eventVersion.gte: x}}}",
            "2:49: processors[0].drop_event.when.range.eventVersion.gte: `x` is not a number | write a number such as `400`",
        ),
        (
            "- drop_event: {when: {network: {source.ip: privat}}}",
            "2:44: processors[0].drop_event.when.network.source.ip: `privat` is neither a block of addresses nor the name of a range | did you mean `private`?",
        ),
        (
            "- drop_event: {when: {or: []}}",
            "2:27: processors[0].drop_event.when.or: a list of conditions is missing | begin each with `- equals:` and so on",
        ),
        (
            "- drop_event: {when: {has_fields: ['x..y']}}",
            "2:36: processors[0].drop_event.when.has_fields[0]: `x..y` is not a name | write parts with a dot between them",
        ),
        (
            "- drop_event: {when: {has_fields: []}}",
            "2:35: processors[0].drop_event.when.has_fields: no field is named | name fields in a list",
        ),
        ("- drop_event: {wen: {}}", "2:16: processors[0].drop_event.wen: unknown setting `wen` | did you mean `when`?"),
        (
            "- {drop_event: {}, rename: {}}",
            "2:3: processors[0]: one processor is wanted here, not 2 | begin each with `- ` and its name",
        ),
        (
            "- if: {equals: {eventName: a}}\n  then: [{add_tags: {tags: [a]}}]",
            "2:3: processors[0].if: `if`, `then` and `else` are not supported | give each processor a `when` of its own",
        ),
        (
            "- drop_event",
            "2:3: processors[0]: must be a processor with its settings, not a single value | begin each with its name, such as `- drop_event:`",
        ),
        ("- drop_fields: {}", "2:16: processors[0].drop_fields: `fields` must be set | see `docs/processors.md`"),
        (
            "- drop_fields: {fields: [eventName]}",
            "2:26: processors[0].drop_fields.fields[0]: `eventName` is a member of the record, which cannot be changed | name the field of the document, such as `event.action` for `eventName`",
        ),
        (
            "- drop_fields: {fields: ['/(/']}",
            "2:26: processors[0].drop_fields.fields[0]: `(` is not a regular expression: unclosed group | the syntax is Go's: without look-around and back-references; quote the pattern with single quotes",
        ),
        (
            "- add_fields: {fields: {'@timestamp': x}, target: ''}",
            "2:25: processors[0].add_fields.fields.@timestamp: `@timestamp` cannot be changed | add a field of another name",
        ),
        (
            "- add_fields: {fields: {name: {first: x}}, target: user}",
            "2:25: processors[0].add_fields.fields.name: `user.name` holds single values (keyword), not further fields | choose another name",
        ),
        (
            "- add_fields: {fields: {event: x}, target: ''}",
            "2:25: processors[0].add_fields.fields.event: `event` holds further fields, such as `event.action` | choose another name",
        ),
        (
            "- add_tags: {tags: a, target: '@metadata.x'}",
            "2:31: processors[0].add_tags.target: documents have no `@metadata` here | name a field of the document",
        ),
        (
            "- rename: {fields: [{from: a}]}",
            "2:21: processors[0].rename.fields[0]: `to` must be set | see `docs/processors.md`",
        ),
        (
            "- rename: {fields: [{from: a, to: user.name.x}]}",
            "2:35: processors[0].rename.fields[0].to: `user.name` holds single values (keyword), so nothing can be below it | choose another name",
        ),
        (
            "- rename: {fields: [{from: aws.cloudtrail.resources, to: event.reason}, {from: source, to: event.action}]}",
            "2:92: processors[0].rename.fields[1].to: `event.action` holds single values (keyword), not further fields | choose another name",
        ),
        (
            "- truncate_fields: {fields: [a]}",
            "2:20: processors[0].truncate_fields: `max_bytes` or `max_characters` must be set | write the longest text to leave",
        ),
        (
            "- truncate_fields: {fields: [a], max_bytes: 1, max_characters: 1}",
            "2:64: processors[0].truncate_fields.max_characters: `max_bytes` and `max_characters` exclude each other | leave one of them out",
        ),
        (
            "- truncate_fields: {fields: [a], max_bytes: -1}",
            "2:45: processors[0].truncate_fields.max_bytes: `-1` is not a length | write a whole number such as `1024`",
        ),
        (
            "- rename: {fields: [{from: a, to: b}], fail_on_error: maybe}",
            "2:55: processors[0].rename.fail_on_error: `maybe` is neither `true` nor `false` | write `true` or `false`",
        ),
    ] {
        told.push((complaints(yaml), vec![expected.to_owned()]));
    }
    let different: Vec<_> = told.into_iter().filter(|(told, expected)| told != expected).collect();
    assert_eq!(different, []);
}

#[test]
fn all_faults_are_told_at_once() {
    let yaml = "- drop_evnt: {}\n- drop_event:\n    when.or:\n      - equals.evenName: a\n      - regexp.eventName: '('\n- add_tags: {}";
    assert_eq!(complaints(yaml).len(), 4);
}

#[test]
fn the_examples_of_the_documentation_are_right() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/processors.md")).unwrap();
    let blocks: Vec<&str> = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() > 3);
    for block in blocks {
        let list = if block.starts_with("  - ") { format!("processors:\n{block}") } else { block.to_owned() };
        let mut config = loaded(&list);
        for section in config.list("trailship.inputs", &["aws-s3"]) {
            Own::read(&mut config, section.path());
        }
        assert!(!processors(&mut config, "processors").is_empty());
        let errors = config.take_errors();
        assert!(errors.is_empty(), "{list}: {errors}");
    }
}

#[test]
fn nothing_is_no_fault() {
    assert_eq!(complaints(""), [""; 0]);
    assert_eq!(complaints("  drop_event: {when: {equals: {eventName: a}}}"), [""; 0]);
}
