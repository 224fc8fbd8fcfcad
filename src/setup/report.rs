//! What `setup` did, step by step, for people and programs.

use super::engine::Engine;
use serde::Serialize;

/// The steps, in the order in which they were done.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Nothing was changed; the verdicts say what would become of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The server, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    pub steps: Vec<Step>,
}

/// One thing that was looked at or done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is about, such as ``index template `trailship-aws.cloudtrail` ``.
    pub what: String,
    pub verdict: Verdict,
    /// What was found or done, and what to do about it.
    pub detail: String,
    /// The fields that a replaced type concerns, by dotted name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    Created,
    Updated,
    Unchanged,
    /// Something newer is there and stays.
    Kept,
    /// The server lacks something; something else is used.
    Replaced,
    /// Works, but somebody should look.
    Warning,
    Failed,
}

impl Verdict {
    /// As it is printed of a dry run.
    pub fn planned(self) -> &'static str {
        match self {
            Verdict::Created => "create",
            Verdict::Updated => "update",
            other => other.as_str(),
        }
    }

    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Created => "created",
            Verdict::Updated => "updated",
            Verdict::Unchanged => "unchanged",
            Verdict::Kept => "kept",
            Verdict::Replaced => "replaced",
            Verdict::Warning => "warning",
            Verdict::Failed => "failed",
        }
    }
}

impl Report {
    /// Whether a step failed; the steps after it were not tried.
    pub fn failed(&self) -> bool {
        self.steps.iter().any(|step| step.verdict == Verdict::Failed)
    }

    /// Adds a step.
    pub fn push(&mut self, what: impl Into<String>, verdict: Verdict, detail: impl Into<String>) {
        self.steps.push(Step { what: what.into(), verdict, detail: detail.into(), fields: Vec::new() });
    }
}
