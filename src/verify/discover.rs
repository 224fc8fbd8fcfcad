//! Which accounts and regions have digests in a bucket, and which days have files, by its folders (CloudTrail formats 1.1).

use super::evidence::Failure;
use super::moment;
use super::run::Verifier;
use super::scope::Scope;
use crate::aws::listing::Range;
use crate::record::trail_key::Kind;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Mutex, OnceCell};

/// What lies right below `AWSLogs/`, by bucket and prefix; listed once.
pub type Roots = Mutex<HashMap<(String, String), Arc<OnceCell<Vec<String>>>>>;

/// What is looked for; everything when a list is not given.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub accounts: Option<Vec<String>>,
    pub regions: Option<Vec<String>>,
}

/// What a bucket holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub scopes: Vec<Scope>,
    /// Accounts that have log files and no digests at all.
    pub silent: Vec<String>,
}

/// An account's folder.
struct Place {
    organization: Option<String>,
    account: String,
}

impl Verifier {
    /// Accounts and regions with digests.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub async fn discover(self: &Arc<Self>, bucket: &str, prefix: &str, filter: &Filter) -> Result<Found, Failure> {
        let root = root(prefix);
        let wanted = |account: &String| filter.accounts.as_ref().is_none_or(|wanted| wanted.contains(account));
        let mut places = Vec::new();
        for name in self.folders(bucket, &root).await? {
            if name.starts_with("o-") {
                let accounts = self.folders(bucket, &format!("{root}{name}/")).await?;
                let accounts = accounts.into_iter().filter(wanted);
                places.extend(accounts.map(|account| Place { organization: Some(name.clone()), account }));
            } else if wanted(&name) {
                places.push(Place { organization: None, account: name });
            }
        }
        let verifier = Arc::clone(self);
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        let look = move |place: Place| {
            let (verifier, bucket, prefix) = (Arc::clone(&verifier), bucket.clone(), prefix.clone());
            async move { verifier.look(bucket, prefix, place).await }
        };
        let mut found = Found::default();
        for looked in self.all(places, look).await {
            let (account, scopes) = looked?;
            let Some(scopes) = scopes else {
                found.silent.push(account);
                continue;
            };
            let in_region = |scope: &Scope| filter.regions.as_ref().is_none_or(|wanted| wanted.contains(&scope.region));
            found.scopes.extend(scopes.into_iter().filter(in_region));
        }
        found.scopes.sort_unstable();
        found.silent.sort_unstable();
        Ok(found)
    }

    /// The same account and region in the folder of an organization, when it has digests there.
    pub(super) async fn in_organization(&self, scope: &Scope) -> Option<Scope> {
        if scope.organization.is_some() {
            return None;
        }
        let root = root(&scope.prefix);
        let key = (scope.bucket.clone(), scope.prefix.clone());
        let listed = || async { self.folders(&scope.bucket, &root).await.unwrap_or_default() };
        let names = {
            let cell = Arc::clone(self.roots.lock().await.entry(key).or_default());
            cell.get_or_init(listed).await.clone()
        };
        for organization in names.into_iter().filter(|name| name.starts_with("o-")) {
            let inside = Scope { organization: Some(organization), ..scope.clone() };
            let folder = inside.folder(Kind::Digest);
            let range = Range { bucket: &scope.bucket, prefix: &folder, after: None, folders: true };
            if self.store.list(range, None).await.is_ok_and(|page| !page.folders.is_empty()) {
                return Some(inside);
            }
        }
        None
    }

    /// The folders of the days from `first` to `last` that hold anything.
    pub(super) async fn days(
        self: &Arc<Self>,
        scope: &Scope,
        kind: Kind,
        first: Timestamp,
        last: Timestamp,
    ) -> Result<Vec<String>, Failure> {
        let root = scope.folder(kind);
        let (first, last) = (moment::folders(first), moment::folders(last));
        let mut found = vec![root.clone()];
        // Years, months, days.
        for length in [4, 7, 10] {
            let (verifier, bucket) = (Arc::clone(self), scope.bucket.clone());
            let look = move |folder: String| {
                let (verifier, bucket) = (Arc::clone(&verifier), bucket.clone());
                async move { (verifier.folders(&bucket, &folder).await, folder) }
            };
            let mut inside = Vec::new();
            for (names, folder) in self.all(found, look).await {
                inside.extend(names?.into_iter().map(|name| format!("{folder}{name}/")));
            }
            let is_asked = |folder: &String| {
                let time = folder.strip_prefix(&root).map(|time| time.trim_end_matches('/')).unwrap_or_default();
                time.len() == length
                    && first.get(..length).is_some_and(|first| first <= time)
                    && last.get(..length).is_some_and(|last| time <= last)
            };
            inside.retain(is_asked);
            found = inside;
        }
        Ok(found)
    }

    /// The scopes of an account; `None` when it has log files only.
    async fn look(
        &self,
        bucket: String,
        prefix: String,
        place: Place,
    ) -> Result<(String, Option<Vec<Scope>>), Failure> {
        let Place { organization, account } = place;
        let scope = |region: String| Scope {
            bucket: bucket.clone(),
            prefix: prefix.clone(),
            organization: organization.clone(),
            account: account.clone(),
            region,
        };
        let digests = scope(String::new()).folder(Kind::Digest);
        // Without a region its slash is doubled.
        let regions = self.folders(&bucket, digests.strip_suffix('/').unwrap_or(&digests)).await?;
        if !regions.is_empty() {
            return Ok((account.clone(), Some(regions.into_iter().map(scope).collect())));
        }
        let logs = scope(String::new()).folder(Kind::Log);
        let logs = self.folders(&bucket, logs.strip_suffix('/').unwrap_or(&logs)).await?;
        Ok((account.clone(), logs.is_empty().then(Vec::new)))
    }

    /// Names of the folders right below `prefix`, which ends with a slash.
    async fn folders(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, Failure> {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let range = Range { bucket, prefix, after: None, folders: true };
            let page = self.store.list(range, token).await?;
            let name = |folder: &String| Some(folder.strip_prefix(prefix)?.trim_end_matches('/').to_owned());
            names.extend(page.folders.iter().filter_map(name).filter(|name| !name.is_empty()));
            token = page.next;
            if token.is_none() {
                return Ok(names);
            }
        }
    }
}

fn root(prefix: &str) -> String {
    if prefix.is_empty() { "AWSLogs/".to_owned() } else { format!("{prefix}/AWSLogs/") }
}
