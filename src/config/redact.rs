//! Which settings hold secrets, judged by their names.
//!
//! The one list for everything that shows settings: findings, their quoted lines, and the exported
//! configuration. A name with doubt counts as secret.

/// Parts of names that mark a secret.
const SECRET_PARTS: [&str; 8] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "authorization",
];

/// Whether a setting of this name (one part, without dots) holds a secret.
///
/// Names that end in `_file` hold a path; `key` alone is a path or an inline PEM key, which
/// [`is_secret_text`] knows by its text.
pub(super) fn is_secret_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase().replace('-', "_");
    !lower.ends_with("_file") && SECRET_PARTS.iter().any(|part| lower.contains(part))
}

/// How many names of secrets there are in a line.
pub(super) fn count_secret_words(line: &str) -> usize {
    let lower = line.to_ascii_lowercase().replace('-', "_");
    let words = SECRET_PARTS.iter();
    words.map(|word| lower.matches(word).count()).sum()
}

/// Whether any part of a dotted path names a secret: what lies below a secret is secret.
pub(super) fn is_secret_path(path: &str) -> bool {
    path.split('.')
        .any(|part| is_secret_key(part.split('[').next().unwrap_or(part)))
}

/// Whether a text is a secret by itself, whatever its setting is called.
pub(super) fn is_secret_text(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_secret_names() {
        for key in [
            "password",
            "secret_access_key",
            "session_token",
            "api_key",
            "key_passphrase",
            "Authorization",
            "Proxy-Authorization",
            "X-Api-Key",
            "client_secret",
        ] {
            assert!(is_secret_key(key), "{key}");
        }
        for key in [
            "hosts",
            "username",
            "access_key_id",
            "key",
            "credential_profile_name",
            "web_identity_token_file",
        ] {
            assert!(!is_secret_key(key), "{key}");
        }
    }

    #[test]
    fn counts_secret_names() {
        assert_eq!(count_secret_words("hosts: [a]"), 0);
        assert_eq!(count_secret_words("{password: a, API-KEY: b}"), 2);
    }

    #[test]
    fn what_lies_below_a_secret_is_secret() {
        assert!(is_secret_path("output.elasticsearch.password"));
        assert!(is_secret_path("trailship.inputs[0].session_token"));
        assert!(is_secret_path("x.secrets[3].value"));
        assert!(!is_secret_path("output.elasticsearch.hosts[0]"));
    }

    #[test]
    fn knows_a_private_key_by_its_text() {
        assert!(is_secret_text("-----BEGIN RSA PRIVATE KEY-----\nAAAA"));
        assert!(!is_secret_text("/etc/trailship/client.key"));
    }
}
