//! Where a request came from (ECS mapping 7.3). How places and networks of addresses are found is not decided here.

use crate::ecs::doc::Doc;
use crate::ecs::places::Lookup;
use crate::ecs::source::{self as s, Record};
use crate::ecs::table as f;
use std::net::IpAddr;

/// Sets `source.*`; answers the address if it is an IP literal.
pub fn apply<'r>(record: Record<'r>, doc: &mut Doc, lookup: &mut Lookup) -> Option<&'r str> {
    let address = record.value(s::SOURCE_IP_ADDRESS)?;
    doc.value(f::SOURCE_ADDRESS, address);
    let text = address.as_str().filter(|text| is_ip(text))?;
    doc.value(f::SOURCE_IP, address);
    for (field, json) in lookup.look_up(text).iter().flat_map(|texts| texts.iter()) {
        doc.make(*field, |out| out.extend_from_slice(json.as_bytes()));
    }
    Some(text)
}

/// Whether the whole text is an IPv4 or IPv6 literal.
pub fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use crate::ecs::stage::tests::document;
    use serde_json::json;

    #[test]
    fn only_a_whole_literal_is_an_ip() {
        for (address, ip) in [
            ("81.2.69.142", true),
            ("2001:db8::1", true),
            ("::ffff:10.0.0.1", true),
            ("ec2.amazonaws.com", false),
            ("AWS Internal", false),
            ("81.2.69.142, 192.168.10.10", false),
            ("81.2.69.142:443", false),
            ("081.2.69.142", false),
            ("81.2.69", false),
        ] {
            let expected = if ip { json!({"address": address, "ip": address}) } else { json!({"address": address}) };
            assert_eq!(document(&json!({"sourceIPAddress": address}))["source"], expected);
        }
        assert!(document(&json!({"sourceIPAddress": "-"}))["source"].is_null());
    }
}
