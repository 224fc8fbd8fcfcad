//! One identity and its clients: SQS at the queue, S3 by the region of each bucket, CloudWatch Logs in one region.
//!
//! The region of a bucket is found lazily: what the notification says, else the queue's; an answer that the bucket lies
//! elsewhere is followed once and remembered. A version that may not be read is replaced by the current one. Leaves out
//! listing (`listing.rs`) and writing: this program only reads objects.

use super::credentials::CredentialSettings;
use super::fault::{Fault, FaultKind, Service};
use super::region::{QueueHost, domain, is_region};
use super::{SetupError, http};
use crate::config::types::HttpUrl;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is needed to talk to AWS.
#[derive(Debug, Clone)]
pub struct Settings {
    pub credentials: CredentialSettings,
    /// `region`: wins over all else.
    pub region: Option<String>,
    /// The queue, where one is read.
    pub queue_url: Option<HttpUrl>,
    /// `default_region`: when neither `region` nor the queue's URL tells.
    pub default_region: Option<String>,
    /// Replaces the endpoints of S3 and CloudWatch Logs, and of SQS unless the queue's URL is AWS's.
    pub endpoint: Option<HttpUrl>,
    pub path_style: bool,
    pub fips: bool,
    pub proxy: Option<HttpUrl>,
    /// Files or PEM texts, trusted in addition to the system's.
    pub certificate_authorities: Vec<String>,
    /// Longest time of one call, its retries included; for an object until its first byte.
    pub api_timeout: Duration,
}

/// Longest time to reach an endpoint.
const CONNECT: Duration = Duration::from_secs(10);
/// Credentials that name no end are read again after this time, so that rotated ones are found; the SDK takes no less.
const REREAD: Duration = Duration::from_secs(900);
/// Tries of a call to S3, as Filebeat.
const S3_ATTEMPTS: u32 = 5;
/// Regions with a client of their own, and buckets whose region is remembered.
const MAX_REGIONS: usize = 64;
const MAX_BUCKETS: usize = 10_000;

/// An identity in a region, ready to make clients.
pub struct Session {
    sdk: SdkConfig,
    region: String,
    settings: Settings,
}

impl Session {
    /// Finds region and credentials provider. Credentials themselves are asked for at the first call.
    ///
    /// # Errors
    /// No region, contradicting keys, a certificate authority that cannot be read.
    pub async fn open(settings: Settings) -> Result<Session, SetupError> {
        let loopback = settings.endpoint.as_ref().is_some_and(|url| is_loopback(url.host()));
        let http = http::client(&settings.certificate_authorities, settings.proxy.as_ref(), loopback)?;
        let host = settings.queue_url.as_ref().map(QueueHost::of);
        let told = host.as_ref().and_then(QueueHost::region);
        let known = settings.region.as_deref().or(told).or(settings.default_region.as_deref());
        let region = match known {
            Some(region) => Some(Region::new(region.to_owned())),
            None => aws_config::default_provider::region::Builder::default().build().region().await,
        };
        let Some(region) = region else {
            return Err(SetupError(match &settings.queue_url {
                Some(url) => format!("`{url}` does not tell its region, and nothing else does; set `region`"),
                None => "nothing tells the region; set `region_name`".to_owned(),
            }));
        };
        let provider = settings.credentials.base(&http, Some(region.clone()))?;
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(settings.api_timeout).build();
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .region(region.clone())
            .credentials_provider(provider)
            .identity_cache(IdentityCache::lazy().default_expiration(REREAD).build())
            .timeout_config(timeouts)
            .use_fips(settings.fips)
            .load()
            .await;
        let sdk = settings.credentials.assume(sdk).await;
        Ok(Session { sdk, region: region.to_string(), settings })
    }

    /// The region of the queue, or of the log groups.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Asks the provider chain once: the access key's id and where it came from, for `trailship test input`.
    ///
    /// # Errors
    /// Why the chain has none.
    pub async fn identity(&self) -> Result<String, SetupError> {
        let Some(provider) = self.sdk.credentials_provider() else {
            return Err(SetupError("no credentials provider".to_owned()));
        };
        match provider.provide_credentials().await {
            Ok(credentials) => Ok(format!("access key `{}`", credentials.access_key_id())),
            Err(error) => Err(SetupError(describe(&error))),
        }
    }

    /// A client of SQS that does not retry: who asks has a loop of its own.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let mut builder = aws_sdk_sqs::config::Builder::from(&self.sdk).retry_config(RetryConfig::disabled());
        if let Some(endpoint) = self.queue_endpoint() {
            builder = builder.endpoint_url(endpoint);
        }
        aws_sdk_sqs::Client::from_conf(builder.build())
    }

    /// A client of CloudWatch Logs that does not retry: every call is counted against the quota by who asks.
    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        let mut builder = aws_sdk_cloudwatchlogs::config::Builder::from(&self.sdk)
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(endpoint) = &self.settings.endpoint {
            builder = builder.endpoint_url(endpoint.as_str());
        }
        aws_sdk_cloudwatchlogs::Client::from_conf(builder.build())
    }

    /// Who asks, as far as the settings tell: calls of one identity in one region share their quotas.
    pub fn caller(&self) -> String {
        self.settings.credentials.caller()
    }

    /// The identity that clients of other services are made of.
    pub(super) fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The clients of S3.
    pub fn buckets(&self) -> Buckets {
        Buckets {
            sdk: self.sdk.clone(),
            home: self.region.clone(),
            endpoint: self.settings.endpoint.clone(),
            path_style: self.settings.path_style,
            fips: self.settings.fips,
            api_timeout: self.settings.api_timeout,
            clients: Mutex::default(),
            regions: Mutex::default(),
            unversioned: Mutex::default(),
        }
    }

    /// Where SQS is asked, when not at the region's public endpoint: a VPC endpoint is known by the queue's URL alone;
    /// for a queue outside AWS `endpoint` goes first, as in Filebeat, since such URLs often name a host that only the
    /// server itself can reach.
    fn queue_endpoint(&self) -> Option<String> {
        let queue_url = self.settings.queue_url.as_ref()?;
        match QueueHost::of(queue_url) {
            QueueHost::Aws { .. } => None,
            QueueHost::VpcEndpoint { .. } => Some(origin(queue_url)),
            QueueHost::Other => {
                Some(self.settings.endpoint.as_ref().map_or_else(|| origin(queue_url), |url| url.as_str().to_owned()))
            }
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Scheme, host and port of a URL.
fn origin(url: &HttpUrl) -> String {
    let scheme = if url.is_https() { "https" } else { "http" };
    match url.port() {
        Some(port) => format!("{scheme}://{}:{port}", url.host()),
        None => format!("{scheme}://{}", url.host()),
    }
}

fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// S3, one client per region.
pub struct Buckets {
    sdk: SdkConfig,
    home: String,
    endpoint: Option<HttpUrl>,
    path_style: bool,
    fips: bool,
    api_timeout: Duration,
    clients: Mutex<HashMap<String, aws_sdk_s3::Client>>,
    /// Regions of buckets, as answers told.
    regions: Mutex<HashMap<String, String>>,
    /// Buckets whose objects may be read, but not by version.
    unversioned: Mutex<HashSet<String>>,
}

/// Where an object lies.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub version: Option<&'a str>,
    /// The region of the bucket, where the notification told; from outside, so it is checked before use.
    pub hint: Option<&'a str>,
}

impl Buckets {
    /// Opens an object: its head has arrived, its body follows.
    ///
    /// A version takes a permission of its own, `s3:GetObjectVersion`, which policies made for CloudTrail often lack. When
    /// it is denied the current version is read: CloudTrail writes each object once.
    ///
    /// # Errors
    /// The judged fault, after the SDK's retries and after one redirect to the bucket's own region.
    pub async fn open(&self, place: Place<'_>) -> Result<GetObjectOutput, Fault> {
        let version = place.version.filter(|_| !lock(&self.unversioned).contains(place.bucket));
        let place = Place { version, ..place };
        let denied = match self.open_in_its_region(place).await {
            Err(fault) if fault.kind == FaultKind::Denied && place.version.is_some() => fault,
            ended => return ended,
        };
        match self.open_in_its_region(Place { version: None, ..place }).await {
            Ok(opened) => {
                self.note_unversioned(place.bucket, &denied);
                Ok(opened)
            }
            // The version may well be there, and be readable by who is allowed to.
            Err(fault) if matches!(fault.kind, FaultKind::Denied | FaultKind::Missing) => Err(denied),
            Err(fault) => Err(fault),
        }
    }

    async fn open_in_its_region(&self, place: Place<'_>) -> Result<GetObjectOutput, Fault> {
        let region = self.region_of(place.bucket, place.hint);
        let fault = match self.open_in(&region, place).await {
            Ok(opened) => return Ok(opened),
            Err(fault) if fault.kind != FaultKind::Moved => return Err(fault),
            Err(fault) => fault,
        };
        let found = match fault.region().filter(|region| is_region(region)) {
            Some(found) => Some(found.to_owned()),
            None => self.locate(&region, place.bucket).await,
        };
        match found {
            Some(found) if found != region => {
                tracing::info!(
                    bucket = place.bucket,
                    region = found,
                    "the bucket lies in another region than thought, which is remembered"
                );
                self.remember(place.bucket, &found);
                self.open_in(&found, place).await
            }
            _ => Err(fault),
        }
    }

    /// The region in which a bucket is read.
    pub fn region_of(&self, bucket: &str, hint: Option<&str>) -> String {
        if let Some(region) = lock(&self.regions).get(bucket) {
            return region.clone();
        }
        hint.filter(|region| is_region(region)).unwrap_or(&self.home).to_owned()
    }

    /// The URL of an object without query, as its request has it.
    pub fn url(&self, bucket: &str, key: &str, region: &str) -> String {
        let key = path_encoded(key);
        match &self.endpoint {
            Some(endpoint) => {
                let address = endpoint.host().trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
                let endpoint = endpoint.as_str().trim_end_matches('/');
                match endpoint.split_once("://") {
                    Some((scheme, host)) if !self.path_style && !address => format!("{scheme}://{bucket}.{host}/{key}"),
                    _ => format!("{endpoint}/{bucket}/{key}"),
                }
            }
            None => {
                let service = if self.fips { "s3-fips" } else { "s3" };
                let host = format!("{service}.{region}.{}", domain(region));
                // A dot in a bucket's name would not fit the certificate.
                if self.path_style || bucket.contains('.') {
                    format!("https://{host}/{bucket}/{key}")
                } else {
                    format!("https://{bucket}.{host}/{key}")
                }
            }
        }
    }

    async fn open_in(&self, region: &str, place: Place<'_>) -> Result<GetObjectOutput, Fault> {
        let request = self
            .client(region)
            .get_object()
            .bucket(place.bucket)
            .key(place.key)
            .set_version_id(place.version.map(str::to_owned));
        request.send().await.map_err(|error| {
            let fault = Fault::of(Service::S3, "GetObject", format!("s3://{}/{}", place.bucket, place.key), &error);
            if place.version.is_some() { fault.of_version() } else { fault }
        })
    }

    /// Says once for each bucket that its versions are denied, and asks no more for them.
    fn note_unversioned(&self, bucket: &str, denied: &Fault) {
        let mut unversioned = lock(&self.unversioned);
        if unversioned.len() >= MAX_BUCKETS {
            unversioned.clear();
        }
        if unversioned.insert(bucket.to_owned()) {
            tracing::warn!(
                bucket,
                code = denied.code(),
                "the version that a notification names may not be read, and the current one is read instead; allow `s3:GetObjectVersion` on the objects to this identity"
            );
        }
    }

    /// Asks S3 where a bucket lies; the answer names the region even when it is a refusal.
    pub(super) async fn locate(&self, region: &str, bucket: &str) -> Option<String> {
        let found = match self.client(region).head_bucket().bucket(bucket).send().await {
            Ok(head) => head.bucket_region().map(str::to_owned),
            Err(error) => Fault::of(Service::S3, "HeadBucket", bucket, &error).region().map(str::to_owned),
        };
        found.filter(|region| is_region(region))
    }

    pub(super) fn remember(&self, bucket: &str, region: &str) {
        let mut regions = lock(&self.regions);
        if regions.len() >= MAX_BUCKETS {
            regions.clear();
        }
        regions.insert(bucket.to_owned(), region.to_owned());
    }

    pub(super) fn client(&self, region: &str) -> aws_sdk_s3::Client {
        let mut clients = lock(&self.clients);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        if clients.len() >= MAX_REGIONS {
            clients.clear();
        }
        // An attempt that hangs leaves time for others.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_timeout(self.api_timeout)
            .operation_attempt_timeout((self.api_timeout / 4).max(Duration::from_secs(1)))
            .build();
        // A body may wait as long as the output makes it wait: time without bytes is judged by who reads it.
        let mut builder = aws_sdk_s3::config::Builder::from(&self.sdk)
            .region(Region::new(region.to_owned()))
            .force_path_style(self.path_style)
            .retry_config(RetryConfig::standard().with_max_attempts(S3_ATTEMPTS))
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint_url(endpoint.as_str());
        }
        let client = aws_sdk_s3::Client::from_conf(builder.build());
        clients.insert(region.to_owned(), client.clone());
        client
    }
}

/// Every update is whole in itself, so that a lock poisoned by a panic elsewhere is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A key as it stands in a path: slashes kept, all that is not unreserved (RFC 3986) encoded.
fn path_encoded(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte))
            }
            other => {
                encoded.push('%');
                encoded
                    .extend([other >> 4, other & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
            }
        }
    }
    encoded
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
