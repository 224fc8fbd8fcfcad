//! Asks a server every panel's question and writes the pages.
//!
//! A panel that cannot be answered says why in its place, and in the report; the others are drawn.

use super::page::draw;
use super::panel::Shown;
use super::server::{Cluster, abilities};
use crate::kibana::dashboards::Dashboard;
use crate::kibana::dashboards::ask::{AskFault, ask};
use crate::kibana::dashboards::search::Scope;
use crate::output::elasticsearch;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which time is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// By default as far back as each dashboard says.
    pub from: Option<Timestamp>,
    pub to: Timestamp,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub files: Vec<PathBuf>,
    /// Panels without an answer, with dashboard and reason.
    pub faults: Vec<String>,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewFault {
    #[error("the server does not answer: {0}")]
    Unanswered(String),
    #[error("`{dashboard}`: `{time}` is no range such as `24h` or `7d`")]
    Range { dashboard: String, time: String },
    #[error("`{path}` cannot be written: {fault}")]
    Unwritten { path: PathBuf, fault: std::io::Error },
}

/// Writes a page for each dashboard, and `index.html`, into `folder`; what is there under these names is replaced.
///
/// # Errors
/// The server does not answer at all, or the folder cannot be written.
pub async fn run(
    cluster: &elasticsearch::Cluster,
    dashboards: &[Dashboard],
    when: When,
    folder: &Path,
) -> Result<Report, PreviewFault> {
    let searcher = Cluster(cluster);
    let abilities = abilities(&searcher).await.map_err(PreviewFault::Unanswered)?;
    let mut faults = Vec::new();
    let mut asked = Vec::new();
    for dashboard in dashboards {
        let from = from(dashboard, when)?;
        let scope = Scope { from, to: when.to, abilities };
        let mut shown = BTreeMap::new();
        for (_, panel) in dashboard.placed() {
            let answer = match ask(&searcher, dashboard, panel, &scope).await {
                Ok(None) => continue,
                Ok(Some(answer)) => Shown::Answer(answer),
                Err(AskFault::Unanswered { reason, .. }) => return Err(PreviewFault::Unanswered(reason)),
                Err(fault) => {
                    faults.push(format!("`{}`: {fault}", dashboard.id));
                    Shown::Unable(fault.to_string())
                }
            };
            shown.insert(panel.id.clone(), answer);
        }
        asked.push((dashboard, scope, shown));
    }
    let unwritten = |path: &Path| {
        let path = path.to_owned();
        move |fault| PreviewFault::Unwritten { path, fault }
    };
    std::fs::create_dir_all(folder).map_err(unwritten(folder))?;
    let mut files = Vec::new();
    for page in draw(&asked) {
        let path = folder.join(&page.name);
        std::fs::write(&path, page.html).map_err(unwritten(&path))?;
        files.push(path);
    }
    Ok(Report { files, faults })
}

/// When a dashboard begins.
fn from(dashboard: &Dashboard, when: When) -> Result<Timestamp, PreviewFault> {
    if let Some(from) = when.from {
        return Ok(from);
    }
    let length = hours(&dashboard.time).map(jiff::SignedDuration::from_hours);
    let from = length.and_then(|length| when.to.checked_sub(length).ok());
    from.ok_or_else(|| PreviewFault::Range { dashboard: dashboard.id.clone(), time: dashboard.time.clone() })
}

/// Hours of a range such as `24h`, `7d` or `2w`.
fn hours(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let count: u16 = text.strip_suffix(unit)?.parse().ok()?;
    let hours = match unit {
        'h' => 1,
        'd' => 24,
        'w' => 7 * 24,
        _ => return None,
    };
    Some(i64::from(count) * hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_dashboards_are_hours() {
        assert_eq!(hours("24h"), Some(24));
        assert_eq!(hours("7d"), Some(168));
        assert_eq!(hours("2w"), Some(336));
        for wrong in ["", "h", "24", "1y", "-1h", "24h ", "99999d", "3ü"] {
            assert_eq!(hours(wrong), None, "{wrong}");
        }
    }
}
