//! The HTTP client of every call to AWS: rustls with ring, the system's root certificates and the user's own, a proxy.
//!
//! Leaves out switching verification off: this client always verifies.

use super::SetupError;
use crate::config::types::HttpUrl;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The SDK's handle of a client; clones share its connections.
pub type HttpClient = aws_sdk_s3::config::SharedHttpClient;

/// Makes the client. `authorities` are files or PEM texts, trusted in addition to the system's. Without `proxy` the
/// usual variables (`HTTPS_PROXY`, `NO_PROXY`) decide, but never for a `direct` client, whose endpoint is this host.
///
/// # Errors
/// A certificate authority that cannot be read, or a proxy URL that is none.
pub fn client(authorities: &[String], proxy: Option<&HttpUrl>, direct: bool) -> Result<HttpClient, SetupError> {
    let mut trusted = TrustStore::default();
    for authority in authorities {
        trusted.add_pem_certificate(certificates(authority)?);
    }
    let tls = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| SetupError(format!("cannot set up TLS: {error}")))?;
    let proxy = match proxy {
        Some(url) => ProxyConfig::all(url.as_str())
            .map_err(|error| SetupError(format!("`proxy_url` cannot be used: {error}")))?,
        None if direct => ProxyConfig::disabled(),
        None => ProxyConfig::from_env(),
    };
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector
            .proxy_config(proxy.clone())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls.clone())
            .build()
    }))
}

/// The PEM text of an entry, checked here because the client would panic on a broken one.
fn certificates(authority: &str) -> Result<Vec<u8>, SetupError> {
    let inline = authority.contains("-----BEGIN");
    let named = if inline { "the text in `ssl.certificate_authorities`".to_owned() } else { format!("`{authority}`") };
    let pem = if inline {
        authority.as_bytes().to_vec()
    } else {
        std::fs::read(authority)
            .map_err(|error| SetupError(format!("cannot read the certificate authority {named}: {error}")))?
    };
    let broken = |why: String| SetupError(format!("{named} is not a certificate in PEM form: {why}"));
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| broken(error.to_string()))?;
        store.add(certificate).map_err(|error| broken(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(broken("it holds none".to_owned()));
    }
    Ok(pem)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A self-signed certificate (EC P-256, CN `trailship test`) made for this test alone.
    const AUTHORITY: &str = include_str!("testing_ca.pem");

    #[test]
    fn an_authority_may_be_text_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, AUTHORITY).unwrap();
        for authority in [AUTHORITY.to_owned(), path.display().to_string()] {
            assert!(client(&[authority], None, false).is_ok());
        }
    }

    #[test]
    fn a_broken_authority_is_an_error_and_not_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty.pem");
        std::fs::write(&path, "nothing").unwrap();
        let path = path.display().to_string();
        let cut: String = AUTHORITY.lines().filter(|line| !line.contains("END")).collect::<Vec<_>>().join("\n");
        let noise = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (authority, said) in [
            ("/no/such/file.pem", "cannot read the certificate authority `/no/such/file.pem`"),
            (path.as_str(), "it holds none"),
            (cut.as_str(), "is not a certificate in PEM form"),
            (noise, "is not a certificate in PEM form"),
        ] {
            let error = client(&[authority.to_owned()], None, false).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
