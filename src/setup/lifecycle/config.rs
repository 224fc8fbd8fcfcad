//! Settings of sections `setup.lifecycle` and `setup.ilm`: how long indices grow, and how long they stay.
//!
//! By default nothing is ever deleted: an audit trail goes when somebody says so.

use crate::config::{ByteSize, Period};
use crate::setup::config::Switch;
use crate::setup::names::AssetName;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Section `setup.lifecycle`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LifecycleConfig {
    #[serde(rename = "type")]
    pub method: Method,
    pub rollover: RolloverConfig,
    /// Age since rollover at which an index is merged and moved to warm nodes; never when absent.
    pub warm_after: Option<Period>,
    /// Age since rollover at which an index is deleted; never when absent.
    pub delete_after: Option<Period>,
}

/// Who looks after the indices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// What the server has: ILM, else the data stream lifecycle; ISM on OpenSearch.
    #[default]
    Auto,
    /// Elasticsearch's index lifecycle management.
    Ilm,
    /// Elasticsearch's data stream lifecycle; serverless has no other.
    Dsl,
    /// OpenSearch's index state management.
    Ism,
    /// Nobody.
    None,
}

/// Section `setup.lifecycle.rollover`: when a data stream gets a new index. The data stream lifecycle decides that by
/// settings of the cluster.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolloverConfig {
    pub max_age: Period,
    pub max_primary_shard_size: ByteSize,
}

impl Default for RolloverConfig {
    fn default() -> Self {
        Self { max_age: Period::from_secs(30 * 86_400), max_primary_shard_size: ByteSize::from_mib(50 << 10) }
    }
}

/// Section `setup.ilm`, as in Beats. All but `enabled` and `policy_file` count for an ISM policy too.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct IlmConfig {
    /// `false`: indices are not given to ILM.
    pub enabled: Switch,
    pub policy_name: AssetName,
    /// JSON of a policy to use instead of the one made of `setup.lifecycle`.
    pub policy_file: Option<PathBuf>,
    /// `false` does not look at the policy that is there, for logins without `read_ilm`.
    pub check_exists: bool,
    /// Whether a policy of this name that somebody else made, or changed, is replaced.
    pub overwrite: bool,
}

impl Default for IlmConfig {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            policy_name: AssetName::fixed("trailship"),
            policy_file: None,
            check_exists: true,
            overwrite: false,
        }
    }
}
