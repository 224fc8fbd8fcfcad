//! `integrity.*`: verification while shipping, with the way of what it finds into a data stream of its own.

use super::identity::Identity;
use super::settings::Settings;
use crate::integrity::note::Teller;
use crate::integrity::{Figures, Installation, Integrity, Sink};
use crate::output::Output;
use crate::output::elasticsearch::Elasticsearch;
use crate::output::parking::Parking;
use crate::status;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Verification, ready to run.
pub(super) struct Verification {
    /// The inputs' way to tell; the work ends after its last clone.
    pub teller: Teller,
    work: Integrity,
    output: Arc<dyn Output>,
    patience: Duration,
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
        let output = match settings.output.cluster() {
            None => Arc::clone(output),
            Some(cluster) => {
                let mut own = (*cluster).clone();
                own.stream = format!("logs-aws.cloudtrail_integrity-{}", settings.namespace);
                own.pipeline = None;
                // A finding about a finding would have no end; and readiness is about shipping.
                let refused = Arc::new(Parking::nowhere());
                Arc::new(Elasticsearch::new(Arc::new(own), refused, status::Part::default())?)
            }
        };
        let installation = Installation {
            data: &settings.data,
            namespace: &settings.namespace,
            process: settings.shared.as_ref().map(|_| identity.id.as_str()),
        };
        let (teller, work) = Integrity::new(integrity.clone(), &installation);
        Ok(Some(Verification { teller, work, output, patience: settings.shutdown_timeout }))
    }

    /// What is counted.
    pub(super) fn figures(&self) -> Arc<Figures> {
        self.work.figures()
    }

    /// Works until nothing is told any more and `shipped` is set; `abort` ends it at once.
    pub(super) async fn run(self, shipped: CancellationToken, abort: CancellationToken) {
        drop(self.teller);
        let sink = Sink { output: self.output, patience: self.patience };
        self.work.run(sink, shipped, abort).await;
    }
}
