//! Which objects are read, and as what: the patterns that every input of objects shares.
//!
//! Without `file_selectors` the three patterns decide, the narrow ones first: `cloudtrail_digest_regex`,
//! `cloudtrail_insight_regex`, `cloudtrail_regex`. A blank pattern skips its kind: an object whose name says that it is
//! a digest or Insights file is never read through `cloudtrail_regex`, however wide that is. Network activity and
//! aggregated files have no pattern of their own; they are read where `cloudtrail_regex` matches their folder, as
//! `/CloudTrail(-NetworkActivity|-Aggregated)?/` does.
//!
//! With `file_selectors` these alone decide whether an object is read (any match reads it, no match skips it); the
//! patterns and the name then only tell as what.

use crate::config::types::Pattern;
use crate::record::trail_key::{Kind, TrailKey};
use serde::{Deserialize, Serialize};

/// An entry of `file_selectors`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileSelector {
    /// Objects whose key matches are read.
    pub regex: Pattern,
}

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    Skip,
    /// Records in an array.
    Log,
    /// Records in an array; Insights.
    Insight,
    /// The whole object is one record.
    Digest,
}

/// The patterns of one input.
#[derive(Debug, Clone)]
pub struct Selection {
    log: Pattern,
    digest: Pattern,
    insight: Pattern,
    selectors: Vec<Pattern>,
}

impl Selection {
    /// The default of `cloudtrail_regex`.
    pub fn default_log() -> Pattern {
        Pattern::containing("/CloudTrail/")
    }

    /// The default of `cloudtrail_insight_regex`. That of `cloudtrail_digest_regex` is blank.
    pub fn default_insight() -> Pattern {
        Pattern::containing("/CloudTrail-Insight/")
    }

    /// Takes `cloudtrail_regex`, `cloudtrail_digest_regex`, `cloudtrail_insight_regex` and `file_selectors`.
    pub fn new(log: &Pattern, digest: &Pattern, insight: &Pattern, selectors: &[FileSelector]) -> Selection {
        Selection {
            log: log.clone(),
            digest: digest.clone(),
            insight: insight.clone(),
            selectors: selectors.iter().map(|selector| selector.regex.clone()).collect(),
        }
    }

    /// What is done with the object of this key, or the file of this path.
    pub fn choose(&self, key: &str) -> Choice {
        let kind = TrailKey::parse(key).map(|key| key.kind);
        if !self.selectors.is_empty() && !self.selectors.iter().any(|selector| selector.is_match(key)) {
            return Choice::Skip;
        }
        if self.digest.is_match(key) {
            return Choice::Digest;
        }
        if self.insight.is_match(key) {
            return Choice::Insight;
        }
        if self.selectors.is_empty() && (!self.log.is_match(key) || matches!(kind, Some(Kind::Digest | Kind::Insight)))
        {
            return Choice::Skip;
        }
        match kind {
            Some(Kind::Digest) => Choice::Digest,
            Some(Kind::Insight) => Choice::Insight,
            _ => Choice::Log,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key(folder: &str) -> String {
        format!("AWSLogs/111122223333/{folder}/eu-west-1/2026/03/04/x.json.gz")
    }

    fn selection(log: &str, digest: &str, insight: &str, selectors: &[&str]) -> Selection {
        let pattern = |text: &str| text.parse::<Pattern>().unwrap();
        let selectors: Vec<_> = selectors.iter().map(|regex| FileSelector { regex: pattern(regex) }).collect();
        Selection::new(&pattern(log), &pattern(digest), &pattern(insight), &selectors)
    }

    fn choices(selection: &Selection) -> [Choice; 6] {
        [
            "CloudTrail",
            "CloudTrail-Digest",
            "CloudTrail-Insight",
            "CloudTrail-NetworkActivity",
            "CloudTrail-Aggregated",
            "vpcflowlogs",
        ]
        .map(|folder| selection.choose(&key(folder)))
    }

    #[test]
    fn the_patterns_choose() {
        use Choice::{Digest, Insight, Log, Skip};
        let default_digest = "/CloudTrail-Digest/";
        for (log, digest, insight, expected, why) in [
            ("/CloudTrail/", "", "/CloudTrail-Insight/", [Log, Skip, Insight, Skip, Skip, Skip], "the defaults"),
            (
                "/CloudTrail/",
                default_digest,
                "/CloudTrail-Insight/",
                [Log, Digest, Insight, Skip, Skip, Skip],
                "Filebeat's defaults",
            ),
            ("", "", "", [Skip; 6], "all blank"),
            ("/CloudTrail/", "", "", [Log, Skip, Skip, Skip, Skip, Skip], "a blank one skips its kind"),
            (
                "CloudTrail",
                "",
                "",
                [Log, Skip, Skip, Log, Log, Skip],
                "a wide pattern does not bring a blank kind back",
            ),
            (".*", default_digest, "", [Log, Digest, Skip, Log, Log, Log], "the narrow pattern goes first"),
            (
                "/CloudTrail(-NetworkActivity|-Aggregated)?/",
                "",
                "",
                [Log, Skip, Skip, Log, Log, Skip],
                "the folders without pattern",
            ),
        ] {
            assert_eq!(choices(&selection(log, digest, insight, &[])), expected, "{why}");
        }
    }

    #[test]
    fn selectors_decide_alone_whether() {
        use Choice::{Digest, Insight, Log, Skip};
        for (digest, selectors, expected, why) in [
            ("", vec![".*"], [Log, Digest, Insight, Log, Log, Log], "all, each as what it is"),
            ("", vec!["/CloudTrail/", "-Digest/"], [Log, Digest, Skip, Skip, Skip, Skip], "any match reads"),
            ("vpcflowlogs", vec![".*"], [Log, Digest, Insight, Log, Log, Digest], "the pattern tells as what"),
            ("", vec![""], [Skip; 6], "a blank selector matches nothing"),
        ] {
            assert_eq!(choices(&selection("/CloudTrail/", digest, "", &selectors)), expected, "{why}");
        }
    }

    #[test]
    fn a_key_that_is_not_of_a_trail_is_chosen_by_pattern_alone() {
        let selection = selection("logs/", "digests/", "insight/", &[]);
        assert_eq!(selection.choose("my-logs/a.json"), Choice::Log);
        assert_eq!(selection.choose("my-digests/a.json"), Choice::Digest);
        assert_eq!(selection.choose("my-insight/a.json"), Choice::Insight);
        assert_eq!(selection.choose("other/a.json"), Choice::Skip);
    }

    #[test]
    fn the_defaults() {
        assert_eq!(Selection::default_log().as_str(), "/CloudTrail/");
        assert_eq!(Selection::default_insight().as_str(), "/CloudTrail-Insight/");
    }
}
