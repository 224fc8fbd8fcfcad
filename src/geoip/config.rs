//! `geoip.*`

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Files by which addresses are described; a key that is left out leaves its fields out.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeoipConfig {
    pub city_database: Option<PathBuf>,
    pub asn_database: Option<PathBuf>,
}
