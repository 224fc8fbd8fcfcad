//! Dashboards as static pages: people see what they get before they import it.
//!
//! | file | what it does |
//! |---|---|
//! | `run` | asks a server every panel's question and writes the pages |
//! | `server` | what the server can do; searches through the output's transport |
//! | `page`, `panel`, `table` | a dashboard and its panels as HTML |
//! | `chart` | what the chart library is given |
//! | `number`, `text` | numbers, markdown and texts as they are shown |
//! | `style.css`, `charts.js`, `vendor/` | what every page carries in itself |
//!
//! The same model and the same searches as the dashboards themselves, and the same grid; what Kibana alone can do
//! (picking, zooming, filtering by a click) is left out. What holds: a page needs no network; the same answers give the
//! same bytes; no value of a document becomes markup or code.

mod chart;
mod number;
mod page;
mod panel;
mod run;
mod server;
mod table;
mod text;

pub use page::{Page, draw};
pub use panel::Shown;
pub use run::{PreviewFault, Report, When, run};
pub use server::{Cluster, abilities};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
