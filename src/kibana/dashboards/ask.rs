//! Asks a panel's question: the search, the search for what it cuts off, and the one for the line behind a number.

use super::answer::{AnswerFault, Table, read};
use super::grouping::Grouping;
use super::model::{Dashboard, Panel};
use super::rest::rests;
use super::search::{Scope, Search, SearchFault, search};
use serde_json::Value;

/// Somebody who sends a search and gives the answer's body, also that of a refusal.
pub trait Searcher: Sync {
    /// # Errors
    /// No answer, or none in JSON: why.
    fn send(&self, search: &Search) -> impl Future<Output = Result<Value, String>> + Send;
}

/// What a panel shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    pub main: Table,
    /// The line behind a number.
    pub trend: Option<Table>,
}

/// Why a panel has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskFault {
    #[error(transparent)]
    Search(#[from] SearchFault),
    #[error("panel `{panel}`: {fault}")]
    Answer { panel: String, fault: AnswerFault },
    #[error("panel `{panel}`: no answer: {reason}")]
    Unanswered { panel: String, reason: String },
}

/// Asks what a panel shows; nothing for one that only says something.
///
/// # Errors
/// It cannot be asked, or is not answered.
pub async fn ask(
    searcher: &impl Searcher,
    dashboard: &Dashboard,
    panel: &Panel,
    scope: &Scope,
) -> Result<Option<Answer>, AskFault> {
    let Some(grouping) = Grouping::main(&panel.draw) else { return Ok(None) };
    let main = whole(searcher, dashboard, panel, &grouping, scope).await?;
    let trend = match Grouping::trend(&panel.draw) {
        Some(grouping) => Some(whole(searcher, dashboard, panel, &grouping, scope).await?),
        None => None,
    };
    Ok(Some(Answer { main, trend }))
}

/// One table with its rests.
async fn whole(
    searcher: &impl Searcher,
    dashboard: &Dashboard,
    panel: &Panel,
    grouping: &Grouping<'_>,
    scope: &Scope,
) -> Result<Table, AskFault> {
    let fault = |fault| AskFault::Answer { panel: panel.id.clone(), fault };
    let body = sent(searcher, panel, &search(dashboard, panel, grouping, scope)?).await?;
    let (mut table, cuts) = read(grouping, &body).map_err(fault)?;
    for rest in rests(dashboard, panel, grouping, scope, cuts)? {
        let body = sent(searcher, panel, &rest.search).await?;
        rest.read(grouping, &body, &mut table).map_err(fault)?;
    }
    Ok(table)
}

async fn sent(searcher: &impl Searcher, panel: &Panel, search: &Search) -> Result<Value, AskFault> {
    let unanswered = |reason| AskFault::Unanswered { panel: panel.id.clone(), reason };
    searcher.send(search).await.map_err(unanswered)
}
