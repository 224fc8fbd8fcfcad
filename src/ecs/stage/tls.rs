//! The TLS connection (ECS mapping 7.5).

use crate::ecs::doc::Doc;
use crate::ecs::source::{self as s, Record};
use crate::ecs::table as f;
use crate::record::json::Value;

pub fn apply(record: Record<'_>, doc: &mut Doc) {
    let version = record.value(s::TLS_VERSION);
    let text = version.and_then(|version| version.as_str());
    if text == Some("tlsVersion") {
        // A placeholder: nothing of `tlsDetails` is meant.
        doc.remove(f::TLS_KEY_EXCHANGE);
        return;
    }
    match text.and_then(|text| text.split_once('v')) {
        Some((protocol, number)) => {
            match protocol {
                "TLS" => doc.fixed(f::TLS_VERSION_PROTOCOL, "\"tls\""),
                other => doc.text(f::TLS_VERSION_PROTOCOL, &other.to_lowercase()),
            }
            doc.text(f::TLS_VERSION, number);
        }
        None => doc.maybe(f::TLS_VERSION, version),
    }
    doc.maybe(f::TLS_CIPHER, record.value(s::TLS_CIPHER_SUITE));
    doc.maybe(f::TLS_CLIENT_SERVER_NAME, server_name(record));
}

/// The host name that the client asked for, unless the details are a placeholder.
pub fn server_name(record: Record<'_>) -> Option<Value<'_>> {
    if record.text(s::TLS_VERSION) == Some("tlsVersion") { None } else { record.value(s::TLS_HOST_HEADER) }
}

#[cfg(test)]
mod tests {
    use crate::ecs::stage::tests::{document, is_fault};
    use serde_json::json;

    #[test]
    fn the_version_is_split_at_its_first_v() {
        for (version, expected) in [
            (json!("TLSv1.2"), json!({"version_protocol": "tls", "version": "1.2"})),
            (json!("TLSv1.3"), json!({"version_protocol": "tls", "version": "1.3"})),
            (json!("SSLv3v"), json!({"version_protocol": "ssl", "version": "3v"})),
            (json!("1.3"), json!({"version": "1.3"})),
            (json!(1.3), json!({"version": 1.3})),
            (json!("v1"), json!({"version": "1"})),
            (json!("TLSv"), json!({"version_protocol": "tls"})),
        ] {
            let doc = document(&json!({"tlsDetails": {"tlsVersion": version}}));
            assert_eq!(doc["tls"], expected);
            assert!(!is_fault(&doc));
        }
    }

    #[test]
    fn each_detail_may_stand_alone() {
        for (details, expected) in [
            (json!({"cipherSuite": "ECDHE"}), json!({"cipher": "ECDHE"})),
            (json!({"clientProvidedHostHeader": "h.example"}), json!({"client": {"server_name": "h.example"}})),
            (
                json!({"tlsVersion": "TLSv1.2", "cipherSuite": "-"}),
                json!({"version_protocol": "tls", "version": "1.2"}),
            ),
        ] {
            assert_eq!(document(&json!({"tlsDetails": details}))["tls"], expected);
        }
    }

    #[test]
    fn a_placeholder_discards_all_details() {
        let details = json!({"tlsVersion": "tlsVersion", "cipherSuite": "cipherSuite", "clientProvidedHostHeader": "h.example", "keyExchange": "x"});
        let doc = document(&json!({"tlsDetails": details}));
        assert!(doc["tls"].is_null() && doc["aws"].is_null() && doc["related"].is_null());
    }

    #[test]
    fn the_key_exchange_is_kept() {
        let doc = document(&json!({"tlsDetails": {"keyExchange": "X25519MLKEM768"}}));
        assert_eq!(doc["aws"]["cloudtrail"], json!({"tls_details": {"key_exchange": "X25519MLKEM768"}}));
    }
}
