//! Which log groups are read: named ones, or all of a prefix, looked up anew while running.

use super::source::{Described, Logs};
use crate::aws::fault::{Fault, FaultKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the configuration wants to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Arn { identifier: String, account: String, name: String },
    Name(String),
    Prefix { prefix: String, linked: bool },
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    /// Its ARN, where the API is asked by it: for groups of linked accounts.
    pub identifier: Option<String>,
    /// The account that owns it, when known.
    pub account: Option<String>,
    pub region: String,
}

impl Group {
    /// Tells the group from all others of an input; state is kept under it.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.account.as_deref().unwrap_or(UNKNOWN), self.region, self.name)
    }

    /// The key that the group had while its account was not known.
    pub fn older_key(&self) -> String {
        format!("{UNKNOWN}/{}/{}", self.region, self.name)
    }
}

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Groups by their keys.
    pub groups: BTreeMap<String, Arc<Group>>,
    /// Names of groups, and why they are not read.
    pub unreadable: Vec<(String, String)>,
}

/// Stands for an account that is not known.
const UNKNOWN: &str = "-";
/// The only class whose events FilterLogEvents gives (CloudWatch Logs, log classes).
const READABLE: &str = "STANDARD";

/// Looks up the groups.
///
/// # Errors
/// What AWS answered. A group that is named is read also when it may not be described.
pub async fn look<L: Logs>(logs: &L, wanted: &Wanted) -> Result<Found, Fault> {
    let mut found = Found::default();
    let region = logs.region();
    let mut add = |group: Group, class: &str| {
        if class == READABLE {
            found.groups.insert(group.key(), Arc::new(group));
        } else {
            let why = format!("its class `{class}` cannot be read by FilterLogEvents, only `{READABLE}` can");
            found.unreadable.push((group.name, why));
        }
    };
    match wanted {
        Wanted::Arn { identifier, account, name } => {
            let described = described(logs, name, true).await?;
            let class = described.iter().find(|group| group.arn == *identifier).map_or(READABLE, |group| &group.class);
            let group = Group {
                name: name.clone(),
                identifier: Some(identifier.clone()),
                account: Some(account.clone()),
                region: region.to_owned(),
            };
            add(group, class);
        }
        Wanted::Name(name) => {
            let described = described(logs, name, false).await?;
            let own = described.iter().find(|group| group.name == *name);
            let account = own.and_then(|group| account(&group.arn));
            let group = Group { name: name.clone(), identifier: None, account, region: region.to_owned() };
            add(group, own.map_or(READABLE, |group| &group.class));
        }
        Wanted::Prefix { prefix, linked } => {
            for group in all(logs, prefix, *linked).await? {
                let account = account(&group.arn);
                let identifier = linked.then_some(group.arn);
                add(Group { name: group.name, identifier, account, region: region.to_owned() }, &group.class);
            }
        }
    }
    Ok(found)
}

/// Descriptions of the groups that begin like a name; none when they may not be had, since reading takes less.
async fn described<L: Logs>(logs: &L, name: &str, linked: bool) -> Result<Vec<Described>, Fault> {
    match logs.describe(name, linked, None).await {
        Ok((groups, _)) => Ok(groups),
        Err(fault) if matches!(fault.kind, FaultKind::Denied | FaultKind::Other | FaultKind::Missing) => {
            tracing::debug!(code = fault.code(), "{fault}; the log group is read without its description");
            Ok(Vec::new())
        }
        Err(fault) => Err(fault),
    }
}

async fn all<L: Logs>(logs: &L, prefix: &str, linked: bool) -> Result<Vec<Described>, Fault> {
    let mut groups = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let (page, next) = logs.describe(prefix, linked, token.as_deref()).await?;
        groups.extend(page);
        // A token that comes back would be asked for ever.
        if next.is_none() || next == token {
            return Ok(groups);
        }
        token = next;
    }
}

fn account(arn: &str) -> Option<String> {
    arn.split(':').nth(4).filter(|account| !account.is_empty()).map(str::to_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::FakeLogs;
    use super::*;

    fn logs() -> FakeLogs {
        let logs = FakeLogs::new(10);
        for name in ["trail/a", "trail/b", "trail/c", "trail/d", "other"] {
            logs.create(name, "STANDARD");
        }
        logs.create("trail/archive", "INFREQUENT_ACCESS");
        logs
    }

    #[tokio::test]
    async fn a_prefix_is_looked_up_to_its_last_page_and_other_classes_are_named() {
        for linked in [false, true] {
            let wanted = Wanted::Prefix { prefix: "trail/".to_owned(), linked };
            let found = look(&logs(), &wanted).await.unwrap();
            let names: Vec<&str> = found.groups.values().map(|group| group.name.as_str()).collect();
            assert_eq!(names, ["trail/a", "trail/b", "trail/c", "trail/d"]);
            assert!(found.groups.contains_key("111122223333/eu-west-1/trail/a"));
            // Groups of other accounts can be asked for by ARN only.
            assert!(found.groups.values().all(|group| group.identifier.is_some() == linked));
            assert_eq!(found.unreadable.len(), 1);
            assert!(found.unreadable[0].0 == "trail/archive" && found.unreadable[0].1.contains("INFREQUENT_ACCESS"));
        }
    }

    #[tokio::test]
    async fn a_name_is_itself_also_when_it_may_not_be_described() {
        let (logs, wanted) = (logs(), Wanted::Name("trail/a".to_owned()));
        let known = look(&logs, &wanted).await.unwrap().groups;
        assert_eq!(known.keys().collect::<Vec<_>>(), ["111122223333/eu-west-1/trail/a"]);
        logs.deny_descriptions();
        let unknown = look(&logs, &wanted).await.unwrap().groups;
        assert_eq!(unknown.keys().collect::<Vec<_>>(), ["-/eu-west-1/trail/a"]);
        assert_eq!(known.values().next().unwrap().older_key(), "-/eu-west-1/trail/a");
        let prefix = Wanted::Prefix { prefix: "trail/".to_owned(), linked: false };
        assert_eq!(look(&logs, &prefix).await.unwrap_err().kind, FaultKind::Denied);
    }
}
