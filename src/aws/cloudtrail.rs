//! CloudTrail's API: the public keys of digests, by region, and where a trail writes to.
//!
//! Calls to one region keep a distance in time, since the API allows ten a second (CloudTrail formats 5.2).

use super::client::Session;
use super::fault::{Fault, Service};
use crate::config::types::HttpUrl;
use aws_config::retry::RetryConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_cloudtrail::primitives::DateTime;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Between two calls to one region: ten a second, with some left to others.
const DISTANCE: Duration = Duration::from_millis(125);
/// Tries of a call.
const ATTEMPTS: u32 = 5;
/// Pages of one answer; keys of a year fit into one.
const PAGES: usize = 100;

/// A key as the API gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// PKCS#1 or SubjectPublicKeyInfo.
    pub der: Vec<u8>,
    pub fingerprint: String,
    /// Seconds since 1970.
    pub valid_from: Option<i64>,
    pub valid_to: Option<i64>,
}

/// Where a trail writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    pub arn: String,
    pub bucket: String,
    pub prefix: Option<String>,
    /// Whether it records every account of an organization.
    pub organization: bool,
}

/// CloudTrail, one client per region.
pub struct CloudTrail {
    sdk: SdkConfig,
    endpoint: Option<HttpUrl>,
    regions: Mutex<HashMap<String, Arc<InRegion>>>,
}

struct InRegion {
    client: aws_sdk_cloudtrail::Client,
    /// When the next call may be made.
    free: tokio::sync::Mutex<Instant>,
}

impl CloudTrail {
    /// `endpoint` replaces AWS's.
    pub fn new(session: &Session, endpoint: Option<HttpUrl>) -> CloudTrail {
        CloudTrail { sdk: session.sdk().clone(), endpoint, regions: Mutex::default() }
    }

    /// The keys of a region that were valid at any moment from `from` to `to`, seconds since 1970.
    ///
    /// # Errors
    /// The judged fault, after retries.
    pub async fn public_keys(&self, region: &str, from: i64, to: i64) -> Result<Vec<PublicKey>, Fault> {
        let mut keys = Vec::new();
        let mut token = None;
        for _ in 0..PAGES {
            let place = self.in_region(region);
            place.turn().await;
            let answer = place
                .client
                .list_public_keys()
                .start_time(DateTime::from_secs(from))
                .end_time(DateTime::from_secs(to))
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| Fault::of(Service::CloudTrail, "ListPublicKeys", region, &error))?;
            keys.extend(answer.public_key_list().iter().map(|key| PublicKey {
                der: key.value().map(|value| value.as_ref().to_vec()).unwrap_or_default(),
                fingerprint: key.fingerprint().unwrap_or_default().to_owned(),
                valid_from: key.validity_start_time().map(DateTime::secs),
                valid_to: key.validity_end_time().map(DateTime::secs),
            }));
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(keys)
    }

    /// The trails that are seen in a region.
    ///
    /// # Errors
    /// The judged fault, after retries.
    pub async fn trails(&self, region: &str) -> Result<Vec<Trail>, Fault> {
        let place = self.in_region(region);
        place.turn().await;
        let answer = place.client.describe_trails().send().await;
        let answer = answer.map_err(|error| Fault::of(Service::CloudTrail, "DescribeTrails", region, &error))?;
        let trails = answer.trail_list().iter().filter_map(|trail| {
            Some(Trail {
                arn: trail.trail_arn()?.to_owned(),
                bucket: trail.s3_bucket_name()?.to_owned(),
                prefix: trail.s3_key_prefix().filter(|prefix| !prefix.is_empty()).map(str::to_owned),
                organization: trail.is_organization_trail() == Some(true),
            })
        });
        Ok(trails.collect())
    }

    fn in_region(&self, region: &str) -> Arc<InRegion> {
        // Every update is whole in itself, so that a lock poisoned by a panic elsewhere is still good.
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let made = regions.entry(region.to_owned()).or_insert_with(|| {
            let mut builder = aws_sdk_cloudtrail::config::Builder::from(&self.sdk)
                .region(Region::new(region.to_owned()))
                .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
            if let Some(endpoint) = &self.endpoint {
                builder = builder.endpoint_url(endpoint.as_str());
            }
            let client = aws_sdk_cloudtrail::Client::from_conf(builder.build());
            Arc::new(InRegion { client, free: tokio::sync::Mutex::new(Instant::now()) })
        });
        Arc::clone(made)
    }
}

impl InRegion {
    /// Waits for this call's turn.
    async fn turn(&self) {
        let mut free = self.free.lock().await;
        tokio::time::sleep_until(*free).await;
        *free = Instant::now() + DISTANCE;
    }
}
