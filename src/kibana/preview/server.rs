//! Searches through the output's transport, and what the server at the other end can do.

use crate::kibana::dashboards::answer::read;
use crate::kibana::dashboards::ask::Searcher;
use crate::kibana::dashboards::fields::LAG;
use crate::kibana::dashboards::grouping::Grouping;
use crate::kibana::dashboards::model::{DataView, Rank};
use crate::kibana::dashboards::search::{Abilities, Search};
use crate::output::elasticsearch::{self, Method};
use serde_json::{Value, json};

/// A cluster that is searched.
pub struct Cluster<'a>(pub &'a elasticsearch::Cluster);

impl Searcher for Cluster<'_> {
    async fn send(&self, search: &Search) -> Result<Value, String> {
        let reply =
            self.0.ask(Method::Post, &search.path(), Some(&search.body)).await.map_err(|fault| fault.to_string())?;
        match serde_json::from_slice(&reply.body) {
            Ok(Value::Object(body)) => Ok(Value::Object(body)),
            _ => Err(format!("the server answered {}, and not in JSON", reply.status)),
        }
    }
}

/// Tries what servers do differently.
///
/// # Errors
/// The server does not answer.
pub async fn abilities(searcher: &impl Searcher) -> Result<Abilities, String> {
    let newest = json!({"top_metrics": {"metrics": {"field": "@timestamp"}, "sort": {"@timestamp": "desc"}}});
    let top_metrics = knows(searcher, json!({"size": 0, "track_total_hits": true, "aggs": {"0": newest}})).await?;
    let mut computed = None;
    for key in ["runtime_mappings", "derived"] {
        let field = json!({LAG.name: {"type": LAG.kind, "script": {"source": LAG.script}}});
        let most = json!({"max": {"field": LAG.name}});
        if knows(searcher, json!({"size": 0, "track_total_hits": true, key: field, "aggs": {"0": most}})).await? {
            computed = Some(key);
            break;
        }
    }
    Ok(Abilities { top_metrics, computed })
}

/// Whether a search is answered and not refused.
async fn knows(searcher: &impl Searcher, body: Value) -> Result<bool, String> {
    let answer = searcher.send(&Search { index: DataView::Cloudtrail.pattern(), body }).await?;
    let anything = Grouping { buckets: Vec::new(), values: Vec::new(), by: Rank::Name, smallest_first: false };
    Ok(read(&anything, &answer).is_ok())
}
