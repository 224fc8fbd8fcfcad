//! What `trailship test` finds: one verdict a step.

/// One step that was tried.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Check {
    /// What was tried, such as `sqs:GetQueueAttributes`.
    pub step: String,
    pub verdict: Verdict,
    /// What was found, and on failure what to do.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Warning,
    Failed,
}
