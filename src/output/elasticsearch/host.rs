//! One entry of `hosts`: how Beats lets people write an address, and the URL it means.
//!
//! Scheme, port and path may be left out; credentials may be inside and are taken out, so that no URL that is
//! logged or called holds them.

use crate::config::types::{Malformed, Secret};
use elasticsearch::http::Url;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// An address as written. Shown without the credentials that may be in it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Host(String);

/// An address taken apart.
pub struct Address {
    /// Without credentials.
    pub url: Url,
    /// User and password, where both or a user were written.
    pub login: Option<(String, Secret)>,
}

/// The URL that a host means; `protocol` (`http` or `https`), `path` and `port` stand for what it leaves out.
///
/// # Errors
/// It is no address.
pub fn parse(host: &Host, protocol: &str, path: &str, port: u16) -> Result<Address, Malformed> {
    let malformed = |why: &str| {
        let hint = format!("write a host, such as `es.example.com:{port}` or `https://es.example.com:{port}/path`");
        Malformed::new(format!("`{host}` is not an address: {why}"), hint)
    };
    let text = host.0.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("{protocol}://{text}") };
    let mut url = Url::parse(&whole).map_err(|fault| malformed(&fault.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(malformed("its scheme is neither `http` nor `https`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(malformed("it has a query, which belongs into `parameters`"));
    }
    // The parser drops the port that is the scheme's own, so the text tells whether there was one.
    let authority = whole.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    let has_port = host_and_port.rsplit(']').next().unwrap_or_default().contains(':');
    if !has_port {
        url.set_port(Some(port)).map_err(|()| malformed("it has no host"))?;
    }
    if matches!(url.path(), "" | "/") {
        url.set_path(path);
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    let login = login(&url).map_err(malformed)?;
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map_err(|()| malformed("it has no host"))?;
    Ok(Address { url, login })
}

fn login(url: &Url) -> Result<Option<(String, Secret)>, &'static str> {
    if url.username().is_empty() {
        return Ok(None);
    }
    let decoded = |text: &str| decode(text).ok_or("its credentials are not UTF-8");
    let password = decoded(url.password().unwrap_or_default())?;
    Ok(Some((decoded(url.username())?, Secret::new(password))))
}

/// Undoes `%XX`; what is no such pair stays as it is.
fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

impl From<&str> for Host {
    fn from(text: &str) -> Host {
        Host(text.to_owned())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.find("://").map_or(0, |at| at + 3);
        let (scheme, rest) = self.0.split_at(authority);
        match rest.rfind('@') {
            Some(at) => write!(formatter, "{scheme}***{}", &rest[at..]),
            None => formatter.write_str(&self.0),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> String {
        parse(&Host::from(text), "http", "/es", 9200).map(|address| address.url.to_string()).unwrap()
    }

    #[test]
    fn what_is_left_out_is_completed() {
        for (written, meant) in [
            ("localhost", "http://localhost:9200/es/"),
            ("localhost:80", "http://localhost/es/"),
            ("es.example.com:9201", "http://es.example.com:9201/es/"),
            ("https://es.example.com", "https://es.example.com:9200/es/"),
            ("https://es.example.com:443", "https://es.example.com/es/"),
            ("https://es.example.com/own", "https://es.example.com:9200/own/"),
            ("https://es.example.com/own/", "https://es.example.com:9200/own/"),
            ("[::1]", "http://[::1]:9200/es/"),
            ("http://[::1]:9300", "http://[::1]:9300/es/"),
        ] {
            assert_eq!(url(written), meant, "{written}");
        }
        let plain = parse(&Host::from("es:9200"), "https", "", 1).map(|address| address.url.to_string());
        assert_eq!(plain.unwrap(), "https://es:9200/");
    }

    #[test]
    fn credentials_are_taken_out_and_never_shown() {
        let host = Host::from("https://elastic:p%40ss@es.example.com:9243");
        let address = parse(&host, "http", "", 9200).unwrap();
        assert_eq!(address.url.as_str(), "https://es.example.com:9243/");
        let (user, password) = address.login.unwrap();
        assert_eq!((user.as_str(), password.reveal()), ("elastic", "p@ss"));
        for shown in [format!("{host:?}"), host.to_string(), serde_json::to_string(&host).unwrap()] {
            assert!(!shown.contains("p%40ss") && shown.contains("es.example.com:9243"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_secrets() {
        for text in ["", "ftp://es", "http://", "es:port", "http://es/?pretty=true", "a b", "http://u:secret@:1"] {
            let fault = parse(&Host::from(text), "http", "", 9200).err().unwrap();
            assert!(!fault.message().contains("secret"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}", protocol in "https?") {
            let _ = parse(&Host::from(text.as_str()), &protocol, "/p", 9200);
            let _ = format!("{}", Host::from(text.as_str()));
        }
    }
}
