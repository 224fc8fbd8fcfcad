//! Which settings hold secrets, judged by their names.
//!
//! The one list for everything that shows settings: findings, their quoted lines, and the exported
//! configuration. A name with doubt counts as secret.

/// Parts of names that mark a secret.
const SECRET_PARTS: [&str; 8] =
    ["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "authorization"];

/// Whether a setting of this name (one part, without dots) holds a secret.
///
/// Names that end in `_file` hold a path; `key` alone is a path or an inline PEM key, which
/// [`is_secret_text`] knows by its text.
pub(super) fn is_secret_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase().replace('-', "_");
    !lower.ends_with("_file") && SECRET_PARTS.iter().any(|part| lower.contains(part))
}

/// Whether a line names a secret whose value does not begin with the mask.
///
/// For what is no setting's value but was meant as one: in a comment, or behind a forgotten quote.
pub(super) fn leaves_a_secret(line: &str, mask: &str) -> bool {
    let lower = line.to_ascii_lowercase().replace('-', "_");
    SECRET_PARTS.iter().any(|word| {
        lower.match_indices(word).any(|(at, _)| {
            let rest = line.get(at + word.len()..).unwrap_or_default();
            let value = rest.split_once([':', '=']).map_or("", |(_, value)| value);
            let value = value.trim_start_matches([' ', '\t', '"', '\'', '[', '{']);
            !value.is_empty() && !value.starts_with(mask)
        })
    })
}

/// Whether any part of a dotted path names a secret: what lies below a secret is secret.
pub(super) fn is_secret_path(path: &str) -> bool {
    path.split('.').any(|part| is_secret_key(part.split('[').next().unwrap_or(part)))
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
        for key in ["hosts", "username", "access_key_id", "key", "credential_profile_name", "web_identity_token_file"] {
            assert!(!is_secret_key(key), "{key}");
        }
    }

    #[test]
    fn finds_secrets_that_are_left() {
        for line in ["# password: hunter2", "{password: ***, \", api-key = hunter2\"", "token: {a: hunter2}"] {
            assert!(leaves_a_secret(line, "***"), "{line}");
        }
        for line in ["hosts: [a]", "password:", "a: {password: ***, api_key: '***', tokens: [***, ***]}"] {
            assert!(!leaves_a_secret(line, "***"), "{line}");
        }
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
