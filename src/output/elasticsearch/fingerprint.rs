//! `ssl.ca_trusted_fingerprint`: finds the certificate authority that a node presents and whose SHA-256 is trusted.
//!
//! Shakes hands once without verifying, looks at the chain, and closes; nothing is sent over that connection. The
//! requests themselves go over connections that verify against the authority found here.

use elasticsearch::http::Url;
use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// SHA-256 of a certificate in its DER form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// Longest wait for each step of the handshake.
const PATIENCE: Duration = Duration::from_secs(10);

impl Fingerprint {
    /// Reads 64 hexadecimal digits, in either case, with colons between pairs or without.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Fingerprint(bytes))
    }

    fn is_of(&self, certificate: &[u8]) -> bool {
        digest(&SHA256, certificate).as_ref() == self.0
    }
}

/// The DER form of the certificate in the node's chain with this fingerprint.
///
/// # Errors
/// The node cannot be reached, or presents no such certificate.
pub async fn authority(url: &Url, wanted: Fingerprint) -> Result<Vec<u8>, String> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    tokio::task::spawn_blocking(move || {
        let chain = presented(&host, port)?;
        chain.into_iter().find(|certificate| wanted.is_of(certificate)).ok_or_else(|| {
            format!("`{host}:{port}` presents no certificate with the fingerprint of `ssl.ca_trusted_fingerprint`")
        })
    })
    .await
    .map_err(|fault| fault.to_string())?
}

/// The certificates that a server presents, unverified.
fn presented(host: &str, port: u16) -> Result<Vec<Vec<u8>>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|fault| fault.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Curious(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|fault| fault.to_string())?;
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(|fault| fault.to_string())?;
    let mut socket = connect(host, port).map_err(|fault| format!("`{host}:{port}`: {fault}"))?;
    while session.is_handshaking() {
        session.complete_io(&mut socket).map_err(|fault| format!("`{host}:{port}`: {fault}"))?;
    }
    let chain = session.peer_certificates().unwrap_or_default();
    Ok(chain.iter().map(|certificate| certificate.to_vec()).collect())
}

fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(socket) => {
                socket.set_read_timeout(Some(PATIENCE))?;
                socket.set_write_timeout(Some(PATIENCE))?;
                return Ok(socket);
            }
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

/// Takes every certificate: it is only looked at.
#[derive(Debug)]
struct Curious(Arc<CryptoProvider>);

impl ServerCertVerifier for Curious {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// SHA-256 of the empty text, as FIPS 180 examples give it.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn reads_hexadecimal_with_and_without_colons() {
        let plain = Fingerprint::parse(EMPTY).unwrap();
        let pairs: Vec<&str> = (0..32).map(|at| &EMPTY[at * 2..at * 2 + 2]).collect();
        assert_eq!(Fingerprint::parse(&pairs.join(":").to_uppercase()), Some(plain));
        assert!(plain.is_of(b"") && !plain.is_of(b"x"));
        for text in ["", "e3b0", &EMPTY[1..], &EMPTY.replace('e', "g"), &"é".repeat(32)] {
            assert_eq!(Fingerprint::parse(text), None, "{text}");
        }
    }
}
