//! `setup.approved_regions`: where activity is expected, which a dashboard and a rule ask about.

use super::dashboards::{DEFAULT_REGIONS, Options};
use crate::config::Malformed;
use serde::{Deserialize, Serialize};

/// Names of regions; those that every account has enabled from the start unless others are given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct ApprovedRegions(Vec<String>);

impl Default for ApprovedRegions {
    fn default() -> ApprovedRegions {
        ApprovedRegions(DEFAULT_REGIONS.map(str::to_owned).to_vec())
    }
}

impl TryFrom<Vec<String>> for ApprovedRegions {
    type Error = Malformed;

    fn try_from(names: Vec<String>) -> Result<ApprovedRegions, Malformed> {
        let is_region = |name: &String| {
            name.contains('-') && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        if names.is_empty() {
            return Err(Malformed::new(
                "no region would be approved",
                "name those in which you work, or remove the key",
            ));
        }
        match names.iter().find(|name| !is_region(name)) {
            None => Ok(ApprovedRegions(names)),
            Some(name) => Err(Malformed::new(format!("`{name}` is no region"), "write it like `eu-west-1`")),
        }
    }
}

impl From<ApprovedRegions> for Vec<String> {
    fn from(regions: ApprovedRegions) -> Vec<String> {
        regions.0
    }
}

impl From<ApprovedRegions> for Options {
    fn from(regions: ApprovedRegions) -> Options {
        Options { approved_regions: regions.0 }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config;

    fn read(text: &str) -> Result<Options, String> {
        let overrides = [format!("setup.approved_regions={text}")];
        let mut config = config::load(&[], &overrides, &|_| None).map_err(|fault| fault.to_string())?;
        let regions: ApprovedRegions = config.section("setup.approved_regions");
        config.finish().map_err(|fault| fault.to_string())?;
        Ok(regions.into())
    }

    #[test]
    fn regions_are_names_of_regions() {
        assert_eq!(read("[eu-west-1, us-gov-east-1]").unwrap().approved_regions, ["eu-west-1", "us-gov-east-1"]);
        assert_eq!(read("eu-west-1").unwrap().approved_regions, ["eu-west-1"]);
        assert_eq!(Options::from(ApprovedRegions::default()), Options::default());
        for (text, told) in [("[]", "no region"), ("[EU]", "`EU` is no region"), ("['a\" or *']", "is no region")] {
            let fault = read(text).unwrap_err();
            assert!(fault.contains("setup.approved_regions") && fault.contains(told), "{fault}");
        }
    }
}
