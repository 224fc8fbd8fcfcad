//! Who looks after the indices: rolls them over when they are large or old, and deletes them if that was asked for.
//!
//! One policy serves all data sets. Which kind it is follows from the server: ILM where it is, the data stream lifecycle
//! where ILM is not (serverless), ISM on OpenSearch. What a data stream already has is never taken away.

pub mod config;
mod ilm;
mod ism;
mod policy;

pub use policy::{Policy, PolicyError};

use super::config::{SetupConfig, Switch};
use super::engine::Product;
use super::report::{Report, Verdict};
use super::server::{Server, ServerError};
use crate::config::{ByteSize, Period};
use config::{LifecycleConfig, Method};
use serde_json::{Value, json};

/// What the templates are made with.
#[derive(Debug, Clone, PartialEq)]
pub enum Lifecycle {
    None,
    Ilm(Policy),
    /// The object `lifecycle` of an index template.
    Dsl(Value),
    Ism(Policy),
}

impl Lifecycle {
    /// What a server of this product gets that has all that its product can have.
    ///
    /// # Errors
    /// The file of `setup.ilm.policy_file` is no policy.
    pub fn usual(product: Product, config: &SetupConfig) -> Result<Lifecycle, PolicyError> {
        let wanted = config.lifecycle.method;
        Ok(match (product, wanted) {
            (_, Method::None) => Lifecycle::None,
            (Product::Elasticsearch, Method::Auto) if config.ilm.enabled == Switch::False => Lifecycle::None,
            (Product::Elasticsearch, Method::Auto | Method::Ilm) => Lifecycle::Ilm(ilm::policy(config)?),
            (Product::Elasticsearch, Method::Dsl) => Lifecycle::Dsl(data_stream_lifecycle(&config.lifecycle)),
            (Product::OpenSearch, Method::Auto | Method::Ism) => Lifecycle::Ism(ism::policy(config)),
            (Product::Elasticsearch, Method::Ism) | (Product::OpenSearch, Method::Ilm | Method::Dsl) => Lifecycle::None,
        })
    }

    /// The policy that has to be on the server.
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Lifecycle::Ilm(policy) | Lifecycle::Ism(policy) => Some(policy),
            Lifecycle::None | Lifecycle::Dsl(_) => None,
        }
    }
}

/// Chooses by the configuration and by what the server has, which it is asked; reports the choice.
///
/// # Errors
/// The server does not answer, refuses, or lacks what the configuration wants.
pub async fn choose(server: &Server<'_>, config: &SetupConfig, report: &mut Report) -> Result<Lifecycle, ServerError> {
    let (product, wanted) = (server.engine.product, config.lifecycle.method);
    let foreign = match (product, wanted) {
        (Product::Elasticsearch, Method::Ism) => Some("ISM"),
        (Product::OpenSearch, Method::Ilm) => Some("ILM"),
        (Product::OpenSearch, Method::Dsl) => Some("data stream lifecycle"),
        _ => None,
    };
    if let Some(lacking) = foreign {
        return Err(ServerError::Lacking { lacking, setting: "setup.lifecycle.type" });
    }
    let usual = Lifecycle::usual(product, config)?;
    let chosen = match &usual {
        Lifecycle::Ilm(policy) | Lifecycle::Ism(policy) if !policy.is_known_to(server, config).await? => {
            match (product, wanted) {
                (Product::Elasticsearch, Method::Auto) => Lifecycle::Dsl(data_stream_lifecycle(&config.lifecycle)),
                (_, Method::Auto) => Lifecycle::None,
                (Product::Elasticsearch, _) => {
                    return Err(ServerError::Lacking { lacking: "ILM", setting: "setup.lifecycle.type" });
                }
                _ => return Err(ServerError::Lacking { lacking: "ISM", setting: "setup.lifecycle.type" }),
            }
        }
        _ => usual,
    };
    let (verdict, detail) = describe(&chosen, product, config);
    report.push("lifecycle", verdict, detail);
    Ok(chosen)
}

fn describe(chosen: &Lifecycle, product: Product, config: &SetupConfig) -> (Verdict, String) {
    let terms = terms(&config.lifecycle);
    match chosen {
        Lifecycle::Ilm(_) if config.ilm.policy_file.is_some() => (Verdict::Ok, "ILM, as the policy's file says".into()),
        Lifecycle::Ilm(_) => (Verdict::Ok, format!("ILM: {terms}")),
        Lifecycle::Ism(_) => (Verdict::Ok, format!("ISM: {terms}")),
        Lifecycle::Dsl(_) => {
            let kept = config.lifecycle.delete_after.map_or_else(
                || "nothing is deleted".to_owned(),
                |after| format!("deleted {} after rollover", age(after)),
            );
            (Verdict::Ok, format!("data stream lifecycle: rollover as the cluster's settings say, {kept}"))
        }
        Lifecycle::None if config.lifecycle.method == Method::None => {
            (Verdict::Ok, "none, because `setup.lifecycle.type` is `none`".into())
        }
        Lifecycle::None if product == Product::Elasticsearch => {
            (Verdict::Ok, "none, because `setup.ilm.enabled` is `false`".into())
        }
        Lifecycle::None => {
            (Verdict::Warning, "this server has no ISM: nothing rolls indices over, and nothing deletes them".into())
        }
    }
}

fn terms(config: &LifecycleConfig) -> String {
    let RolloverTerms { age: max_age, size } = RolloverTerms::of(config);
    let mut terms = format!("rollover after {max_age}, or at {size} a primary shard");
    if let Some(after) = config.warm_after {
        terms.push_str(&format!(", merged and warm {} later", age(after)));
    }
    match config.delete_after {
        Some(after) => terms.push_str(&format!(", deleted {} after rollover", age(after))),
        None => terms.push_str(", nothing is deleted"),
    }
    terms
}

/// `setup.lifecycle.rollover` in the servers' units.
struct RolloverTerms {
    age: String,
    size: String,
}

impl RolloverTerms {
    fn of(config: &LifecycleConfig) -> RolloverTerms {
        let rollover = &config.rollover;
        RolloverTerms { age: age(rollover.max_age), size: size(rollover.max_primary_shard_size) }
    }
}

fn data_stream_lifecycle(config: &LifecycleConfig) -> Value {
    match config.delete_after {
        Some(after) => json!({"enabled": true, "data_retention": age(after)}),
        None => json!({"enabled": true}),
    }
}

/// The lifecycle of a failure store: as long as the records', where servers would delete after 30 days.
pub fn of_failures(config: &LifecycleConfig) -> Value {
    match config.delete_after.filter(|_| config.method != Method::None) {
        Some(after) => json!({"enabled": true, "data_retention": age(after)}),
        None => json!({"enabled": false}),
    }
}

/// A length of time in the largest unit that gives a whole number.
fn age(period: Period) -> String {
    let millis = period.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let unit = units.iter().find(|(_, length)| millis > 0 && millis.is_multiple_of(*length));
    unit.map_or_else(|| format!("{millis}ms"), |(unit, length)| format!("{}{unit}", millis / length))
}

/// A size in the largest of the servers' units, which count in 1,024s, that gives a whole number.
fn size(size: ByteSize) -> String {
    let bytes = size.bytes();
    let units = [("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10)];
    let unit = units.iter().find(|(_, length)| bytes > 0 && bytes.is_multiple_of(*length));
    unit.map_or_else(|| format!("{bytes}b"), |(unit, length)| format!("{}{unit}", bytes / length))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(config: Value) -> SetupConfig {
        serde_json::from_value(config).unwrap()
    }

    #[test]
    fn times_and_sizes_are_written_as_servers_read_them() {
        for (text, expected) in
            [("30d", "30d"), ("36h", "36h"), ("90m", "90m"), ("45s", "45s"), ("1500ms", "1500ms"), ("0", "0ms")]
        {
            assert_eq!(age(text.parse().unwrap()), expected);
        }
        for (text, expected) in [("50GiB", "50gb"), ("512MiB", "512mb"), ("3KiB", "3kb"), ("10MB", "10000000b")] {
            assert_eq!(size(text.parse().unwrap()), expected);
        }
    }

    #[test]
    fn the_product_and_the_settings_decide() {
        let kind = |product, config: Value| match Lifecycle::usual(product, &with(config)).unwrap() {
            Lifecycle::None => "none",
            Lifecycle::Ilm(_) => "ilm",
            Lifecycle::Dsl(_) => "dsl",
            Lifecycle::Ism(_) => "ism",
        };
        let (elasticsearch, opensearch) = (Product::Elasticsearch, Product::OpenSearch);
        assert_eq!(kind(elasticsearch, json!({})), "ilm");
        assert_eq!(kind(opensearch, json!({})), "ism");
        assert_eq!(kind(elasticsearch, json!({"ilm": {"enabled": "false"}})), "none");
        assert_eq!(kind(opensearch, json!({"ilm": {"enabled": "false"}})), "ism");
        assert_eq!(kind(elasticsearch, json!({"lifecycle": {"type": "dsl"}})), "dsl");
        assert_eq!(kind(opensearch, json!({"lifecycle": {"type": "none"}})), "none");
    }

    #[test]
    fn the_data_stream_lifecycle_deletes_only_when_told() {
        assert_eq!(data_stream_lifecycle(&LifecycleConfig::default()), json!({"enabled": true}));
        let config = with(json!({"lifecycle": {"delete_after": "365d"}})).lifecycle;
        assert_eq!(data_stream_lifecycle(&config), json!({"enabled": true, "data_retention": "365d"}));
    }

    #[test]
    fn failures_stay_as_long_as_records() {
        for (config, expected) in [
            (json!({}), json!({"enabled": false})),
            (json!({"delete_after": "365d"}), json!({"enabled": true, "data_retention": "365d"})),
            (json!({"delete_after": "365d", "type": "none"}), json!({"enabled": false})),
        ] {
            assert_eq!(of_failures(&with(json!({"lifecycle": config})).lifecycle), expected);
        }
    }
}
