//! Which Kibana is this, and is the space there? Asked before anything is imported.
//!
//! Leaves out what a Kibana can do beyond its version: imports tell.

use super::http::{Call, Kibana};
use super::refusal::{About, KibanaError, shortened};
use serde_json::Value;

/// Oldest Kibana whose dashboards have the form of ours (Kibana: saved objects' `typeMigrationVersion` 8.9.0).
const OLDEST: (u32, u32) = (8, 9);

/// Newest major version of OpenSearch Dashboards that is expected; Kibana's own 3 is from 2013 and has no such API.
const NEWEST_OPENSEARCH: u32 = 4;

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// A Kibana that can take our files, with its version.
    Kibana(String),
    /// Kibana tells its version only to those it knows, and it does not know us.
    Unknown,
}

impl Kibana {
    /// Waits until Kibana is up, and looks who it is.
    ///
    /// # Errors
    /// Nobody answers in time, or it is too old, or something else.
    pub async fn greet(&self) -> Result<Greeting, KibanaError> {
        let answer = self.ask(Call::get(About::Server, "api/status")).await?;
        let status = answer.accepted()?;
        let Some(version) = status.pointer("/version/number").and_then(Value::as_str).map(shortened) else {
            let is_redacted = status.pointer("/status/overall/level").is_some();
            return if is_redacted { Ok(Greeting::Unknown) } else { Err(answer.foreign()) };
        };
        let Some((major, minor)) = numbers(&version) else { return Err(answer.foreign()) };
        match (major, minor) {
            (..=NEWEST_OPENSEARCH, _) => Err(KibanaError::OpenSearchDashboards(version)),
            older if older < OLDEST => Err(KibanaError::Old(version)),
            _ => Ok(Greeting::Kibana(version)),
        }
    }

    /// Looks whether the space of the settings is there; an import would make objects in a space that nobody can see.
    ///
    /// # Errors
    /// It is not there, or may not be looked at.
    pub async fn find_space(&self) -> Result<(), KibanaError> {
        let Some(space) = &self.space else { return Ok(()) };
        let path = format!("api/spaces/space/{space}");
        let answer = self.ask(Call::get(About::Space, &path)).await?;
        if answer.status() == 404 {
            return Err(KibanaError::NoSpace(space.clone()));
        }
        answer.accepted().map(|_| ())
    }
}

/// Major and minor number.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(['.', '-']).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}
