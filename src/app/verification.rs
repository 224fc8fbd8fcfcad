//! `integrity.*`: verification while shipping, with the way of what it finds into a data stream of its own.

use super::identity::{Identity, id_of};
use super::settings::Settings;
use crate::integrity::gaps::Others;
use crate::integrity::note::Teller;
use crate::integrity::peers;
use crate::integrity::{Figures, Installation, Integrity, Sink};
use crate::output::Output;
use crate::output::elasticsearch::{Cluster, Elasticsearch};
use crate::output::parking::Parking;
use crate::status;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest wait for the outcome of one lot of documents, and what it is at least more than that of one request.
const LOT_TIME: Duration = Duration::from_secs(120);
const MORE: Duration = Duration::from_secs(30);

/// Verification, ready to run.
pub(super) struct Verification {
    /// The inputs' way to tell; the work ends after its last clone.
    pub teller: Teller,
    work: Integrity,
    sink: Sink,
}

impl Verification {
    /// `None` unless the settings ask for it. Findings go where `output` writes, for a cluster into their own data stream.
    ///
    /// # Errors
    /// Certificates of the cluster cannot be used.
    pub(super) fn open(
        settings: &Settings,
        identity: &Identity,
        output: &Arc<dyn Output>,
    ) -> Result<Option<Verification>, String> {
        let Some(integrity) = &settings.integrity else { return Ok(None) };
        // They stay in the outbox, so that no letter is written; and readiness is about shipping.
        let refused = Arc::new(Parking::nowhere());
        let (output, time) = match settings.output.cluster() {
            None => (Arc::clone(output), LOT_TIME),
            Some(cluster) => {
                let time = LOT_TIME.max(cluster.timeout + MORE);
                let mut own = (*cluster).clone();
                own.stream = stream(settings);
                own.pipeline = None;
                let own = Elasticsearch::new(Arc::new(own), Arc::clone(&refused), status::Part::default())?;
                (Arc::new(own) as Arc<dyn Output>, time)
            }
        };
        let installation = Installation {
            data: &settings.data,
            namespace: &settings.namespace,
            process: settings.shared.as_ref().map(|_| identity.id.as_str()),
        };
        let (teller, work) = Integrity::new(integrity.clone(), &installation);
        Ok(Some(Verification {
            teller,
            work,
            sink: Sink { output, refused, time, patience: settings.shutdown_timeout },
        }))
    }

    /// What is counted.
    pub(super) fn figures(&self) -> Arc<Figures> {
        self.work.figures()
    }

    /// Works until nothing is told any more and `shipped` is set; `abort` ends it at once.
    pub(super) async fn run(self, shipped: CancellationToken, abort: CancellationToken) {
        drop(self.teller);
        self.work.run(self.sink, shipped, abort).await;
    }
}

/// What other processes, where there may be some, say of the hours that begin from `from` until before `to`.
pub async fn others(settings: &Settings, from: Timestamp, to: Timestamp) -> Others {
    let Some(cluster) = settings.output.cluster().filter(|_| settings.shared.is_some()) else { return Others::Nobody };
    let fetched = match Cluster::new(cluster) {
        Ok(cluster) => peers::fetch(&cluster, &stream(settings), from, to).await,
        Err(reason) => Err(reason),
    };
    match fetched {
        Ok(peers) => Others::Told { peers, own: id_of(&settings.data).unwrap_or_default() },
        Err(reason) => Others::Unknown(reason),
    }
}

/// The data stream of findings and of the ledger.
fn stream(settings: &Settings) -> String {
    format!("logs-aws.cloudtrail_integrity-{}", settings.namespace)
}
