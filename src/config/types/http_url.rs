//! An `http` or `https` URL: of a queue, an endpoint, a proxy.
//!
//! Checks what goes wrong in practice (no scheme, no host, a port that is none, spaces) when the
//! configuration is read, with the setting's position; the client that calls the URL stays its
//! judge in the rest. Credentials in a URL (`https://user:password@proxy`) are never shown.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::secret::REDACTED;
use super::{Malformed, deserialize_text};

/// A checked URL with scheme `http` or `https`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HttpUrl {
    text: String,
    host: Range<usize>,
    port: Option<u16>,
}

impl HttpUrl {
    /// The whole URL, credentials included: to be called, not to be shown.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host name or address, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.text.get(self.host.clone()).unwrap_or_default()
    }

    /// The port, if one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("https:"))
    }
}

impl FromStr for HttpUrl {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let shown = without_credentials(text);
        let malformed = |why: &str| {
            Malformed::new(
                format!("`{shown}` is not a URL: {why}"),
                "write it with scheme and host, such as `https://es.example.com:9200`",
            )
        };
        let trimmed = text.trim();
        let Some((scheme, rest)) = trimmed.split_once("://") else {
            return Err(malformed("it has no `http://` or `https://`"));
        };
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(malformed("its scheme is neither `http` nor `https`"));
        }
        if trimmed.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(malformed("it holds a space"));
        }
        let authority_start = scheme.len() + "://".len();
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let user_end = authority.rfind('@').map_or(0, |at| at + 1);
        let (_, host_and_port) = authority.split_at(user_end);
        let host_length = if host_and_port.starts_with('[') {
            host_and_port.find(']').map(|at| at + 1)
        } else {
            Some(host_and_port.find(':').unwrap_or(host_and_port.len()))
        };
        let Some(host_length) = host_length.filter(|length| *length > 0) else {
            return Err(malformed("it has no host"));
        };
        let (_, port_text) = host_and_port.split_at(host_length);
        let port = match port_text.strip_prefix(':') {
            Some(digits) => match digits.parse() {
                Ok(port) if port > 0 => Some(port),
                _ => return Err(malformed("its port is not a number from 1 to 65535")),
            },
            None if port_text.is_empty() => None,
            None => return Err(malformed("its host is not a name or an address")),
        };
        let host_start = authority_start + user_end;
        Ok(Self { text: trimmed.to_owned(), host: host_start..host_start + host_length, port })
    }
}

/// The text with the credentials of any URL in it replaced by a placeholder.
pub(crate) fn without_credentials(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(credentials) = credentials_range(rest) {
        let (before, from) = rest.split_at(credentials.start);
        let (_, after) = from.split_at(credentials.len());
        shown.push_str(before);
        shown.push_str(REDACTED);
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// Farthest that credentials reach, in bytes: so that a line of nothing but `://` is no trap.
const LONGEST_CREDENTIALS: usize = 2048;

/// Where the first `user:password` stands between `://` and `@`, in bytes.
///
/// A password may hold any sign that its writer forgot to escape, so all up to the last `@` before
/// a space, a comma or a quote counts.
pub(crate) fn credentials_range(text: &str) -> Option<Range<usize>> {
    let mut searched = 0;
    while let Some(found) = text.get(searched..)?.find("://") {
        let start = searched + found + "://".len();
        let tail = text.get(start..)?;
        let (tail, _) = tail.split_at(tail.floor_char_boundary(LONGEST_CREDENTIALS));
        let end = tail.find(|c: char| c.is_whitespace() || matches!(c, ',' | '"' | '\'' | '`')).unwrap_or(tail.len());
        let in_path = tail.find(['/', '?', '#']).unwrap_or(end).min(end);
        let at = tail.get(..in_path).and_then(|authority| authority.rfind('@')).or_else(|| {
            // `user:pa/ss@host`: an unescaped slash in a password.
            let whole = tail.get(..end)?;
            let at = whole.rfind('@')?;
            whole.get(..in_path)?.contains(':').then_some(at)
        });
        match at {
            Some(at) if at > 0 => return Some(start..start + at),
            _ => searched = start,
        }
    }
    None
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&without_credentials(&self.text))
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for HttpUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HttpUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a URL")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> HttpUrl {
        text.parse().unwrap()
    }

    #[test]
    fn takes_a_url_apart() {
        let queue = url("https://sqs.eu-west-1.amazonaws.com/111122223333/cloudtrail");
        assert_eq!(queue.host(), "sqs.eu-west-1.amazonaws.com");
        assert_eq!(queue.port(), None);
        assert!(queue.is_https());
        let local = url("http://127.0.0.1:4566");
        assert_eq!((local.host(), local.port()), ("127.0.0.1", Some(4566)));
        assert!(!local.is_https());
        let six = url("http://[::1]:9200/path");
        assert_eq!((six.host(), six.port()), ("[::1]", Some(9200)));
        let query = url("http://h?a=b:c");
        assert_eq!((query.host(), query.port()), ("h", None));
    }

    #[test]
    fn credentials_are_called_but_not_shown() {
        let proxy = url("http://user:pass@proxy:3128");
        assert_eq!(proxy.as_str(), "http://user:pass@proxy:3128");
        assert_eq!(proxy.host(), "proxy");
        assert_eq!(proxy.to_string(), "http://[redacted]@proxy:3128");
        assert_eq!(format!("{proxy:?}"), "http://[redacted]@proxy:3128");
        assert_eq!(without_credentials("a http://u:p@h, https://v:q@i"), "a http://[redacted]@h, https://[redacted]@i");
        assert_eq!(without_credentials("http://u:a/b@h/x"), "http://[redacted]@h/x");
        assert_eq!(without_credentials("http://h/a@b"), "http://h/a@b");
    }

    #[test]
    fn says_what_is_wrong() {
        let why = |text: &str| text.parse::<HttpUrl>().unwrap_err().message().to_owned();
        assert_eq!(why("es:9200"), "`es:9200` is not a URL: it has no `http://` or `https://`");
        assert_eq!(why("ftp://x"), "`ftp://x` is not a URL: its scheme is neither `http` nor `https`");
        assert_eq!(why("https://"), "`https://` is not a URL: it has no host");
        assert_eq!(why("https://:9200"), "`https://:9200` is not a URL: it has no host");
        assert_eq!(why("http://h:port"), "`http://h:port` is not a URL: its port is not a number from 1 to 65535");
        assert_eq!(why("http://h:0"), "`http://h:0` is not a URL: its port is not a number from 1 to 65535");
        assert_eq!(why("http://[::1]x"), "`http://[::1]x` is not a URL: its host is not a name or an address");
        assert_eq!(why("http://a b"), "`http://a b` is not a URL: it holds a space");
        assert_eq!(
            why("http://u:secret@h:x"),
            "`http://[redacted]@h:x` is not a URL: its port is not a number from 1 to 65535"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(https?://)?.*") {
            let _ = text.parse::<HttpUrl>();
            let _ = without_credentials(&text);
        }
    }
}
