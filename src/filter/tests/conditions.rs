//! Conditions, each as the condition of a `drop_event`.

use super::{record, rules, shipped};
use serde_json::json;

/// Whether the condition holds for the record; tried with the record alone, and after a rule that has changed the
/// document, which must make no difference.
fn holds(condition: &str) -> bool {
    let drop = format!("- drop_event:\n    when: {condition}");
    let dropped = shipped(&rules(&drop), &record()).is_none();
    let edited = format!("- add_fields: {{fields: {{a: b}}}}\n{drop}");
    assert_eq!(shipped(&rules(&edited), &record()).is_none(), dropped, "{condition} on a changed document");
    dropped
}

#[test]
fn each_condition_by_its_table() {
    for (condition, expected) in [
        // equals: text, number, boolean; several fields must all be equal.
        ("{equals: {eventName: Decrypt}}", true),
        ("{equals: {eventName: decrypt}}", false),
        ("{equals: {eventName: Decryp}}", false),
        ("{equals: {eventName: Decrypt, eventSource: kms.amazonaws.com}}", true),
        ("{equals: {eventName: Decrypt, eventSource: s3.amazonaws.com}}", false),
        ("{equals: {recipientAccountId: 012345678901}}", true),
        ("{equals: {recipientAccountId: 12345678901}}", false),
        ("{equals: {requestParameters.limit: 500}}", true),
        ("{equals: {requestParameters.limit: 501}}", false),
        ("{equals: {readOnly: true}}", true),
        ("{equals: {readOnly: false}}", false),
        ("{equals: {readOnly: 1}}", false),
        ("{equals: {userIdentity.type: AssumedRole}}", true),
        ("{equals.userIdentity.type: AssumedRole}", true),
        ("{equals: {record.userIdentity.type: AssumedRole}}", true),
        ("{equals: {userIdentity: AssumedRole}}", false),
        ("{equals: {requestParameters.none: x}}", false),
        ("{equals: {event.action: Decrypt}}", true),
        ("{equals: {event.provider: kms.amazonaws.com}}", true),
        ("{equals: {event.outcome: failure}}", false),
        ("{equals: {document.team: x}}", false),
        ("{equals: {aws.cloudtrail.flattened.request_parameters.nested.x.y: z}}", true),
        ("{equals: {event.action: Decrypt, eventName: Decrypt}}", true),
        ("{equals: {tags: forwarded}}", true),
        ("{equals: {resources.ARN: 'arn:aws:kms:::key/2'}}", true),
        ("{equals: {aws.cloudtrail.resources.arn: 'arn:aws:kms:::key/2'}}", true),
        // What says nothing is not there.
        ("{equals: {errorCode: '-'}}", false),
        // contains: a part of a text or of an element.
        ("{contains: {userIdentity.arn: 'assumed-role/ci'}}", true),
        ("{contains: {userIdentity.arn: 'assumed-role/cd'}}", false),
        ("{contains: {requestParameters.tags: b}}", true),
        ("{contains: {requestParameters.limit: 50}}", false),
        ("{contains: {tags: cloudtrail}}", true),
        // regexp: found anywhere unless anchored.
        ("{regexp: {eventName: '^(Decrypt|GenerateDataKey)$'}}", true),
        ("{regexp: {eventName: 'crypt'}}", true),
        ("{regexp: {eventName: '^crypt'}}", false),
        ("{regexp: {requestParameters.tags: '^b'}}", true),
        // range: numbers, and texts that are numbers.
        ("{range: {requestParameters.limit.gte: 500}}", true),
        ("{range: {requestParameters.limit.gt: 500}}", false),
        ("{range: {requestParameters.limit: {gte: 400, lt: 600}}}", true),
        ("{range: {requestParameters.limit: {gte: 400, lt: 500}}}", false),
        ("{range.requestParameters.limit.lte: 499.5}", false),
        ("{range: {eventVersion.gte: 1.08}}", true),
        ("{range: {eventVersion.lt: 1.08}}", false),
        ("{range: {eventName.gte: 0}}", false),
        ("{range: {requestParameters.limit.gte: 1, eventVersion.lt: 1}}", false),
        // network: blocks and names, one or several.
        ("{network: {source.ip: private}}", true),
        ("{network: {sourceIPAddress: '10.0.0.0/8'}}", true),
        ("{network: {source.ip: ['192.168.0.0/16', '10.1.0.0/16']}}", true),
        ("{network: {source.ip: ['192.168.0.0/16', public]}}", false),
        ("{network: {eventName: private}}", false),
        // has_fields: all of them.
        ("{has_fields: [eventName, userIdentity.arn]}", true),
        ("{has_fields: [eventName, errorCode]}", false),
        ("{has_fields: [event.action, source.ip]}", true),
        ("{has_fields: [aws.cloudtrail.user_identity]}", true),
        ("{has_fields: [userIdentity]}", true),
        ("{has_fields: [tls]}", false),
        ("{has_fields: eventName}", true),
        // and, or, not.
        ("{and: [{equals: {eventName: Decrypt}}, {equals: {event.action: Decrypt}}]}", true),
        ("{and: [{equals: {eventName: Decrypt}}, {equals: {event.action: Encrypt}}]}", false),
        ("{or: [{equals: {eventName: Encrypt}}, {equals: {event.action: Decrypt}}]}", true),
        ("{or: [{equals: {eventName: Encrypt}}, {equals: {event.action: Encrypt}}]}", false),
        ("{not: {equals: {eventName: Encrypt}}}", true),
        ("{not.equals.eventName: Decrypt}", false),
        ("{not: {has_fields: [errorCode]}}", true),
        ("{or: [{and: [{not: {equals: {readOnly: true}}}]}, {not: {network: {source.ip: public}}}]}", true),
    ] {
        assert_eq!(holds(condition), expected, "{condition}");
    }
}

#[test]
fn a_condition_sees_what_earlier_rules_made() {
    let drop = |when: &str, change: &str| {
        shipped(&rules(&format!("{change}\n- drop_event:\n    when: {when}")), &record()).is_none()
    };
    let team = "- add_fields: {fields: {team: a, size: 7}}";
    assert!(drop("{equals: {fields.team: a}}", team));
    assert!(drop("{range: {fields.size.gte: 7}}", team));
    assert!(drop("{has_fields: [fields]}", team));
    assert!(!drop("{equals: {fields.team: b}}", team));
    let renamed = "- rename: {fields: [{from: event.action, to: event.renamed}]}";
    assert!(drop("{equals: {document.event.renamed: Decrypt}}", renamed));
    assert!(!drop("{has_fields: [event.action]}", renamed));
    // The record stays what it was.
    assert!(drop("{equals: {eventName: Decrypt}}", renamed));
    assert!(!drop("{has_fields: [source]}", "- drop_fields: {fields: [source]}"));
}

#[test]
fn rules_apply_where_their_condition_holds() {
    let rules = rules("- add_tags: {tags: [quiet], when: {equals: {event.action: Decrypt}}}");
    assert_eq!(shipped(&rules, &record()).unwrap()["tags"], json!(["forwarded", "aws-cloudtrail", "quiet"]));
    let other = json!({"eventName": "Encrypt"});
    assert_eq!(shipped(&rules, &other).unwrap()["tags"], json!(["forwarded", "aws-cloudtrail"]));
}

#[test]
fn what_is_no_record_is_dropped_by_no_rule_about_records() {
    let rules = rules("- drop_event: {when: {not: {equals: {eventName: Decrypt}}}}");
    assert!(shipped(&rules, &json!({"eventName": "Encrypt"})).is_none());
    assert!(shipped(&rules, &json!([1])).is_some());
}
