//! One request to one node, and its raw answer. The only file that knows the `elasticsearch` crate.
//!
//! Bytes go out as they are: compressed, framed and timed by others. No retry, no choice of node, no judgement.
//! `trailship setup` and `trailship test output` send their small JSON requests through it too, and Kibana is given its
//! files.

use super::fingerprint;
use super::settings::{Login, Proxy, Settings};
use bytes::Bytes;
use elasticsearch::auth::{ClientCertificate, Credentials};
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::headers::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use elasticsearch::http::transport::{BuildError, SingleNodeConnectionPool, Transport, TransportBuilder};
use elasticsearch::http::{Method, Url};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// A search server's address with the way to speak to it.
pub struct Node {
    url: Url,
    settings: Arc<Settings>,
    /// Made at the first request, as a trusted fingerprint is looked up at the node itself.
    transport: OnceCell<Transport>,
}

/// A request; `path` is relative to the node's own path and begins without a slash.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub method: Method,
    pub path: &'a str,
    pub query: &'a [(String, String)],
    pub body: Content,
    pub timeout: Duration,
}

/// The body of a request.
#[derive(Debug, Clone)]
pub enum Content {
    None,
    Json(Bytes),
    Lines {
        bytes: Bytes,
        gzip: bool,
    },
    /// A form with a file; `kind` names its boundary.
    Form {
        bytes: Bytes,
        kind: HeaderValue,
    },
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// `X-Elastic-Product`, which Elasticsearch sends and OpenSearch does not.
    pub product: Option<String>,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFault {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("TLS: {0}")]
    Tls(String),
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The connection broke before the answer was whole.
    #[error("connection broke: {0}")]
    Broken(String),
}

impl Node {
    /// A node of the settings.
    ///
    /// # Errors
    /// Certificates or proxy of the settings cannot be used.
    pub fn new(url: Url, settings: Arc<Settings>) -> Result<Node, String> {
        let transport = OnceCell::new();
        if settings.tls.fingerprint.is_none() {
            let built = build(&url, &settings, None).map_err(|fault| fault.to_string())?;
            transport.set(built).map_err(|fault| fault.to_string())?;
        }
        Ok(Node { url, settings, transport })
    }

    /// The address, which holds no credentials.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// There is no whole answer: see [`SendFault`]. The node may have acted on the request all the same.
    pub async fn send(&self, request: Request<'_>) -> Result<Reply, SendFault> {
        let timeout = request.timeout;
        // Covers what the client's own time-out does not: the look-up of a trusted fingerprint.
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(answered) => answered,
            Err(_) => Err(SendFault::Timeout(timeout)),
        }
    }

    async fn exchange(&self, request: Request<'_>) -> Result<Reply, SendFault> {
        let transport = self.transport.get_or_try_init(|| self.build_trusting()).await?;
        let (headers, body) = headers_and_body(request.body);
        let query = (!request.query.is_empty()).then_some(request.query);
        let response = transport
            .send(request.method, request.path, headers, query, body, Some(request.timeout))
            .await
            .map_err(|fault| explain(&fault, request.timeout))?;
        let status = response.status_code().as_u16();
        let product =
            response.headers().get("x-elastic-product").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.map_err(|fault| explain(&fault, request.timeout))?;
        Ok(Reply { status, product, body })
    }

    /// A transport that trusts the authority with the configured fingerprint, as the node presents it.
    async fn build_trusting(&self) -> Result<Transport, SendFault> {
        let authority = match &self.settings.tls.fingerprint {
            Some(wanted) => Some(fingerprint::authority(&self.url, *wanted).await.map_err(SendFault::Tls)?),
            None => None,
        };
        build(&self.url, &self.settings, authority).map_err(|fault| SendFault::Tls(fault.to_string()))
    }
}

fn build(url: &Url, settings: &Settings, authority: Option<Vec<u8>>) -> Result<Transport, BuildError> {
    let unusable = |fault: elasticsearch::Error| BuildError::Config(fault.to_string());
    let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url.clone()))
        .enable_meta_header(false)
        .headers(settings.headers.clone());
    builder = match &settings.proxy {
        Proxy::Given(proxy) => builder.proxy(proxy.clone(), None, None),
        Proxy::Environment if !is_loopback(url) => builder,
        // A proxy of the environment is not meant for this machine itself; Filebeat does the same.
        Proxy::Environment | Proxy::None => builder.disable_proxy(),
    };
    let tls = &settings.tls;
    let mut trusted: Option<Certificate> = None;
    let mut trust = |more: Certificate| match &mut trusted {
        Some(all) => all.append(more),
        None => trusted = Some(more),
    };
    for pem in &tls.authorities {
        trust(Certificate::from_pem(pem).map_err(unusable)?);
    }
    if let Some(der) = authority {
        trust(Certificate::from_der(&der).map_err(unusable)?);
    }
    if !tls.verify {
        builder = builder.cert_validation(CertificateValidation::None);
    } else if let Some(all) = trusted {
        builder = builder.cert_validation(CertificateValidation::Full(all));
    }
    if let Some(identity) = &tls.identity {
        builder = builder.auth(Credentials::Certificate(ClientCertificate::Pem(identity.clone())));
    }
    let transport = builder.build()?;
    // The client certificate is part of the connection by now, so that its place is free for the login.
    match &settings.login {
        Login::None => {}
        Login::Basic { username, password } => {
            transport.set_auth(Credentials::Basic(username.clone(), password.reveal().to_owned()));
        }
        Login::ApiKey { id, key } => transport.set_auth(Credentials::ApiKey(id.clone(), key.reveal().to_owned())),
        Login::EncodedApiKey(key) => transport.set_auth(Credentials::EncodedApiKey(key.reveal().trim().to_owned())),
    }
    Ok(transport)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address: Option<std::net::IpAddr> = host.parse().ok();
    host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

fn headers_and_body(content: Content) -> (HeaderMap, Option<Bytes>) {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("trailship/", env!("CARGO_PKG_VERSION"))));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let (kind, body) = match content {
        Content::None => return (headers, None),
        Content::Json(bytes) => (HeaderValue::from_static("application/json"), bytes),
        Content::Form { bytes, kind } => (kind, bytes),
        Content::Lines { bytes, gzip } => {
            if gzip {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            (HeaderValue::from_static("application/x-ndjson"), bytes)
        }
    };
    headers.insert(CONTENT_TYPE, kind);
    (headers, Some(body))
}

/// The deepest cause, which says more than "error sending request" and does not repeat the URL.
fn explain(fault: &elasticsearch::Error, timeout: Duration) -> SendFault {
    if fault.is_timeout() {
        return SendFault::Timeout(timeout);
    }
    let mut deepest: &dyn Error = fault;
    let mut connected = true;
    loop {
        connected &= !deepest.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect);
        if let Some(tls) = deepest.downcast_ref::<rustls::Error>() {
            return SendFault::Tls(tls.to_string());
        }
        // An I/O error made of another error hides it from `source`.
        let inner = deepest.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        deepest = match (inner, deepest.source()) {
            (Some(inner), _) => inner,
            (None, Some(source)) => source,
            (None, None) if connected => return SendFault::Broken(deepest.to_string()),
            (None, None) => return SendFault::Unreachable(deepest.to_string()),
        };
    }
}
