//! The same for programs: one JSON document.

use super::{Verdict, tally};
use crate::verify::chain::Window;
use crate::verify::finding::Finding;
use crate::verify::moment::display;
use crate::verify::run::Outcome;
use serde::Serialize;

/// Everything that a run found.
#[derive(Debug, Serialize)]
pub struct Report<'o> {
    verdict: Verdict,
    exit_code: u8,
    /// Start and end of the time that was asked about.
    requested: [String; 2],
    digests: Count,
    log_files: Count,
    chains: Vec<Chain<'o>>,
    /// Findings about no chain.
    findings: &'o [Finding],
}

#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Count {
    found: u64,
    valid: u64,
}

#[derive(Debug, Serialize)]
struct Chain<'o> {
    trail_arn: &'o str,
    trail: &'o str,
    home_region: &'o str,
    bucket: &'o str,
    #[serde(skip_serializing_if = "str::is_empty")]
    prefix: &'o str,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'o str>,
    account: &'o str,
    region: &'o str,
    digests: Count,
    log_files: Count,
    /// Periods that valid digests cover.
    covered: Vec<[String; 2]>,
    /// What `aws cloudtrail validate-logs` would count.
    aws_cli: AwsCli,
    findings: &'o [Finding],
}

#[derive(Debug, Serialize)]
struct AwsCli {
    valid_digests: u64,
    invalid_digests: u64,
    valid_log_files: u64,
    invalid_log_files: u64,
}

/// The report over all chains; `other` are findings about none of them.
pub fn report<'o>(window: Window, outcomes: &'o [Outcome], other: &'o [Finding]) -> Report<'o> {
    let verdict = Verdict::of(outcomes, other);
    let chains: Vec<Chain<'o>> = outcomes.iter().map(chain).collect();
    let sum = |count: fn(&Chain<'_>) -> Count| {
        chains.iter().map(count).fold(Count::default(), |sum, count| Count {
            found: sum.found + count.found,
            valid: sum.valid + count.valid,
        })
    };
    Report {
        verdict,
        exit_code: verdict.code(),
        requested: [display(window.from), display(window.to)],
        digests: sum(|chain| chain.digests),
        log_files: sum(|chain| chain.log_files),
        chains,
        findings: other,
    }
}

fn chain(outcome: &Outcome) -> Chain<'_> {
    let (chain, audit, tally) = (&outcome.chain, &outcome.audit, tally(outcome));
    Chain {
        trail_arn: &chain.arn,
        trail: &chain.trail,
        home_region: &chain.home_region,
        bucket: &chain.scope.bucket,
        prefix: &chain.scope.prefix,
        organization: chain.scope.organization.as_deref(),
        account: &chain.scope.account,
        region: &chain.scope.region,
        digests: Count { found: audit.digests, valid: audit.valid },
        log_files: Count { found: outcome.listed, valid: outcome.valid },
        covered: audit.covered.iter().map(|(from, to)| [display(*from), display(*to)]).collect(),
        aws_cli: AwsCli {
            valid_digests: tally.digests.0 + tally.backfill.0,
            invalid_digests: tally.digests.1 + tally.backfill.1,
            valid_log_files: tally.logs.0,
            invalid_log_files: tally.logs.1,
        },
        findings: &outcome.findings,
    }
}
