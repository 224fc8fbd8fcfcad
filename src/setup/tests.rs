//! The whole of setup against servers with the modules that real test servers lack: ILM, ISM, data stream options.

use super::fake::Fake;
use super::template::MANAGED_BY;
use super::{Options, Report, SetupConfig, Verdict, install};
use serde_json::{Value, json};

async fn run(fake: &Fake, config: Value, options: Options) -> Report {
    let config: SetupConfig = serde_json::from_value(config).unwrap();
    install(&fake.cluster(), &config, options).await
}

async fn plainly(fake: &Fake, config: Value) -> Report {
    run(fake, config, Options::default()).await
}

fn step<'a>(report: &'a Report, what: &str) -> (Verdict, &'a str) {
    let step = report.steps.iter().find(|step| step.what.contains(what));
    let step = step.unwrap_or_else(|| panic!("no step about {what}: {report:?}"));
    (step.verdict, &step.detail)
}

fn stored(fake: &Fake, path: &str) -> Value {
    fake.state().stored.get(path).cloned().unwrap_or_default()
}

const ILM: &str = "_ilm/policy/trailship";
const ISM: &str = "_plugins/_ism/policies/trailship";
const RECORDS: &str = "_index_template/trailship-aws.cloudtrail";

#[tokio::test]
async fn elasticsearch_gets_a_policy_and_templates_that_name_it() {
    let fake = Fake::elasticsearch().await;
    let report = plainly(&fake, json!({})).await;
    assert!(!report.failed(), "{report:?}");
    let expected = "ILM: rollover after 30d, or at 50gb a primary shard, nothing is deleted";
    assert_eq!(step(&report, "lifecycle"), (Verdict::Ok, expected));
    assert_eq!(step(&report, "ILM policy `trailship`").0, Verdict::Created);
    assert_eq!(stored(&fake, ILM)["policy"]["_meta"]["managed_by"], MANAGED_BY);
    assert_eq!(
        fake.state().orders.first().map(String::as_str),
        Some("PUT /_ilm/policy/trailship"),
        "the policy is first"
    );
    for suffix in ["", "_dead_letter", "_integrity"] {
        let settings = stored(&fake, &format!("_component_template/trailship-aws.cloudtrail{suffix}-settings"));
        assert_eq!(settings["template"]["settings"]["index.lifecycle.name"], "trailship");
        let index = stored(&fake, &format!("_index_template/trailship-aws.cloudtrail{suffix}"));
        let failure_store = json!({"enabled": true, "lifecycle": {"enabled": false}});
        assert_eq!(index["template"], json!({"data_stream_options": {"failure_store": failure_store}}));
    }
    let orders = fake.state().orders.len();
    assert_eq!(orders, 1 + 3 * 3);
    let again = plainly(&fake, json!({})).await;
    assert_eq!(step(&again, "ILM policy").0, Verdict::Unchanged);
    assert_eq!(fake.state().orders.len(), orders, "a second run changes nothing: {again:?}");
}

#[tokio::test]
async fn a_policy_follows_the_settings_until_somebody_else_changes_it() {
    let fake = Fake::elasticsearch().await;
    plainly(&fake, json!({})).await;
    let shorter = json!({"lifecycle": {"delete_after": "400d"}});
    let report = plainly(&fake, shorter.clone()).await;
    assert_eq!(step(&report, "ILM policy").0, Verdict::Updated);
    assert_eq!(stored(&fake, ILM)["policy"]["phases"]["delete"]["min_age"], "400d");
    assert_eq!(step(&plainly(&fake, shorter.clone()).await, "ILM policy").0, Verdict::Unchanged);

    // As Kibana saves it: `_meta` stays, the server counts on.
    let mut changed = stored(&fake, ILM);
    changed["policy"]["phases"]["delete"]["min_age"] = json!("3650d");
    fake.state().stored.insert(ILM.to_owned(), changed.clone());
    *fake.state().revisions.get_mut(ILM).unwrap() += 1;
    for config in [json!({}), shorter.clone()] {
        let report = plainly(&fake, config).await;
        let (verdict, detail) = step(&report, "ILM policy");
        assert!(verdict == Verdict::Kept && detail.contains("setup.ilm.overwrite"), "{detail}");
        assert!(!report.failed());
        assert_eq!(stored(&fake, ILM), changed);
    }
    let mut overwriting = shorter;
    overwriting["ilm"] = json!({"overwrite": true});
    assert_eq!(step(&plainly(&fake, overwriting).await, "ILM policy").0, Verdict::Updated);
    assert_eq!(stored(&fake, ILM)["policy"]["phases"]["delete"]["min_age"], "400d");
    assert_eq!(
        step(&plainly(&fake, json!({"lifecycle": {"delete_after": "400d"}})).await, "ILM policy").0,
        Verdict::Unchanged
    );
}

#[tokio::test]
async fn a_newer_policy_stays_whatever_is_asked_for() {
    let fake = Fake::elasticsearch().await;
    let newer = json!({"policy": {"phases": {}, "_meta": {"managed_by": "trailship", "version": "999.0.0", "fingerprint": "x", "revision": 1}}});
    fake.state().stored.insert(ILM.to_owned(), newer.clone());
    fake.state().revisions.insert(ILM.to_owned(), 1);
    let report = plainly(&fake, json!({"ilm": {"overwrite": true}})).await;
    assert!(!report.failed());
    let (verdict, detail) = step(&report, "ILM policy");
    assert!(verdict == Verdict::Kept && detail.contains("999.0.0"), "{detail}");
    assert_eq!(stored(&fake, ILM), newer);
}

#[tokio::test]
async fn a_policy_that_may_not_be_looked_at_is_taken_as_there() {
    let fake = Fake::elasticsearch().await;
    let refusal = json!({"error": {"type": "security_exception", "reason": "action is unauthorized"}, "status": 403});
    fake.state().pages.insert(format!("GET /{ILM}"), (403, refusal));
    let report = plainly(&fake, json!({})).await;
    assert!(report.failed() && step(&report, "setup").1.contains("`manage_ilm`"), "{report:?}");
    assert!(fake.state().orders.is_empty());
    let report = plainly(&fake, json!({"ilm": {"check_exists": false}})).await;
    assert!(!report.failed(), "{report:?}");
    assert!(step(&report, "ILM policy").1.contains("setup.ilm.check_exists"));
    assert!(fake.state().orders.iter().all(|order| !order.contains("_ilm")));
}

#[tokio::test]
async fn without_ilm_the_data_stream_lifecycle_serves() {
    // 410 is the answer of serverless, 400 that of a server without the module.
    for status in [410, 400] {
        let fake = Fake::elasticsearch().await;
        fake.state().lacking = vec![("_ilm", status)];
        let report = plainly(&fake, json!({"lifecycle": {"delete_after": "90d"}})).await;
        assert!(!report.failed(), "{report:?}");
        let expected = "data stream lifecycle: rollover as the cluster's settings say, deleted 90d after rollover";
        assert_eq!(step(&report, "lifecycle"), (Verdict::Ok, expected));
        assert_eq!(stored(&fake, RECORDS)["template"]["lifecycle"], json!({"enabled": true, "data_retention": "90d"}));
        let report = plainly(&fake, json!({"lifecycle": {"type": "ilm"}})).await;
        assert!(report.failed() && step(&report, "setup").1.contains("no ILM"), "{report:?}");
    }
}

#[tokio::test]
async fn ilm_is_left_out_when_switched_off() {
    let fake = Fake::elasticsearch().await;
    let report = plainly(&fake, json!({"ilm": {"enabled": "false"}})).await;
    assert!(!report.failed(), "{report:?}");
    assert!(stored(&fake, RECORDS)["template"].get("lifecycle").is_none());
    assert_eq!(stored(&fake, ILM), Value::Null);
}

#[tokio::test]
async fn opensearch_gets_an_ism_policy() {
    let fake = Fake::opensearch().await;
    let report = plainly(&fake, json!({})).await;
    assert!(!report.failed(), "{report:?}");
    assert_eq!(step(&report, "ISM policy `trailship`").0, Verdict::Created);
    assert!(stored(&fake, ISM)["policy"]["ism_template"].is_array());
    assert_eq!(step(&report, "failure store").0, Verdict::Replaced);
    assert_eq!(step(&plainly(&fake, json!({})).await, "ISM policy").0, Verdict::Unchanged);
    let report = plainly(&fake, json!({"lifecycle": {"delete_after": "90d"}})).await;
    assert_eq!(step(&report, "ISM policy").0, Verdict::Updated);
    assert_eq!(fake.state().orders.last().unwrap(), &format!("PUT /{ISM}?if_seq_no=0&if_primary_term=1"));

    fake.state().lacking = vec![("_plugins", 400)];
    let report = plainly(&fake, json!({})).await;
    assert!(!report.failed() && step(&report, "lifecycle").0 == Verdict::Warning, "{report:?}");
    for (config, lacking) in [
        (json!({"lifecycle": {"type": "ism"}}), "no ISM"),
        (json!({"lifecycle": {"type": "ilm"}}), "no ILM"),
        (json!({"failure_store": "true"}), "no failure store"),
    ] {
        let report = plainly(&fake, config).await;
        assert!(report.failed() && step(&report, "setup").1.contains(lacking), "{report:?}");
    }
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing() {
    let options = Options { dry_run: true, rollover: true };
    let fake = Fake::elasticsearch().await;
    with_stream(&fake, "older");
    let report = run(&fake, json!({}), options).await;
    assert!(report.dry_run && !report.failed(), "{report:?}");
    assert_eq!(step(&report, "ILM policy").0, Verdict::Created);
    assert_eq!(step(&report, "index template").0, Verdict::Created);
    let (verdict, detail) = step(&report, "data stream `logs-aws.cloudtrail-default`");
    assert_eq!(verdict, Verdict::Updated);
    assert!(detail.contains("`trailship-aws.cloudtrail` applies") && detail.contains("rolled over"), "{detail}");
    assert_eq!(fake.state().orders, Vec::<String>::new());
}

#[tokio::test]
async fn a_rollover_gives_a_data_stream_what_its_template_says_of_it() {
    let options = Options { rollover: true, ..Options::default() };
    let fake = Fake::elasticsearch().await;
    with_stream(&fake, "older");
    let config = json!({"lifecycle": {"type": "dsl"}});
    let report = run(&fake, config.clone(), options).await;
    assert_eq!(step(&report, "data stream `logs-aws.cloudtrail-default`").0, Verdict::Updated, "{report:?}");
    let stream = "_data_stream/logs-aws.cloudtrail-default";
    assert_eq!(stored(&fake, &format!("{stream}/_lifecycle")), json!({"enabled": true}));
    let options_there = stored(&fake, &format!("{stream}/_options"));
    assert_eq!(options_there, json!({"failure_store": {"enabled": true, "lifecycle": {"enabled": false}}}));
    let last = fake.state().orders.last().cloned();
    assert_eq!(last.as_deref(), Some("POST /logs-aws.cloudtrail-default/_rollover"));

    fake.state().lacking = vec![("_data_stream", 405)];
    let report = run(&fake, config, options).await;
    let (verdict, detail) = step(&report, "data stream `logs-aws.cloudtrail-default`");
    assert_eq!(verdict, Verdict::Updated);
    assert!(detail.contains("does not change the lifecycle and failure store"), "{detail}");
}

/// A data stream whose index was made with templates of this fingerprint.
fn with_stream(fake: &Fake, fingerprint: &str) {
    let pages = &mut fake.state().pages;
    let found = json!({"data_streams": [{"name": "logs-aws.cloudtrail-default", "backing_indices": ["ds-1"]}]});
    pages.insert("GET /_resolve/index/logs-aws.cloudtrail-*".to_owned(), (200, found));
    let mapping = json!({"ds-1": {"mappings": {"_meta": {"managed_by": "trailship", "fingerprint": fingerprint}}}});
    pages.insert("GET /ds-1/_mapping".to_owned(), (200, mapping));
}
