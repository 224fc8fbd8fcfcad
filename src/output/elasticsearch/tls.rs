//! TLS settings: whom to trust, and who we say we are; files are read here.

use super::config::{SslConfig, VerificationMode};
use super::fingerprint::Fingerprint;
use super::settings::Findings;
use elasticsearch::cert::Certificate;

/// Whom to trust, and the client certificate.
#[derive(Clone)]
pub struct Tls {
    pub verify: bool,
    /// PEM texts.
    pub authorities: Vec<Vec<u8>>,
    /// PEM of certificate and key.
    pub identity: Option<Vec<u8>>,
    pub fingerprint: Option<Fingerprint>,
}

/// Checks and completes.
pub fn settle(ssl: &SslConfig, found: &mut Findings) -> Tls {
    let mut tls = Tls { verify: true, authorities: Vec::new(), identity: None, fingerprint: None };
    if ssl.enabled == Some(false) {
        return tls;
    }
    match ssl.verification_mode {
        VerificationMode::Full | VerificationMode::Strict => {}
        VerificationMode::None => tls.verify = false,
        VerificationMode::Certificate => {
            let hint = "use `full` with a certificate that names the host, or the host name that the certificate has";
            found.fault(
                "ssl.verification_mode",
                "`certificate` is not supported: a chain is always checked with its host name",
                hint,
            );
        }
    }
    for (number, authority) in ssl.certificate_authorities.iter().enumerate() {
        let key = format!("ssl.certificate_authorities[{number}]");
        let Some(pem) = pem(&key, authority, found) else {
            continue;
        };
        match Certificate::from_pem(&pem) {
            Ok(_) => tls.authorities.push(pem),
            Err(fault) => found.fault(&key, format!("not a certificate: {fault}"), "give certificates in PEM form"),
        }
    }
    if !ssl.ca_trusted_fingerprint.is_empty() {
        tls.fingerprint = Fingerprint::parse(&ssl.ca_trusted_fingerprint);
        if tls.fingerprint.is_none() {
            let message = format!("`{}` is not a fingerprint", ssl.ca_trusted_fingerprint);
            found.fault(
                "ssl.ca_trusted_fingerprint",
                message,
                "write the certificate's SHA-256: 64 hexadecimal digits",
            );
        }
    }
    match (ssl.certificate.is_empty(), ssl.key.is_blank()) {
        (true, true) => {}
        (false, false) => tls.identity = identity(ssl, found),
        _ => found.fault("ssl.certificate", "`ssl.certificate` and `ssl.key` belong together", "give both or neither"),
    }
    tls
}

fn identity(ssl: &SslConfig, found: &mut Findings) -> Option<Vec<u8>> {
    let certificate = pem("ssl.certificate", &ssl.certificate, found);
    let key = pem("ssl.key", ssl.key.reveal(), found);
    let pem = [key?, b"\n".to_vec(), certificate?].concat();
    if let Err(fault) = reqwest::Identity::from_pem(&pem) {
        found.fault(
            "ssl.key",
            format!("not a certificate with its key: {fault}"),
            "give both in PEM form, the key without a passphrase",
        );
        return None;
    }
    Some(pem)
}

/// PEM text as it stands, or that of the file named.
fn pem(key: &str, text: &str, found: &mut Findings) -> Option<Vec<u8>> {
    if text.contains("-----BEGIN ") {
        return Some(text.as_bytes().to_vec());
    }
    match std::fs::read(text) {
        Ok(pem) => Some(pem),
        Err(fault) => {
            found.fault(
                key,
                format!("the file cannot be read: {fault}"),
                "name a file in PEM form, or write its text here",
            );
            None
        }
    }
}
