//! Ranges of addresses: blocks (`192.0.2.0/24`) and Beats' named ranges.
//!
//! The names mean what Go's `net.IP` means by them, since Beats asks it. An IPv4 address inside IPv6
//! (`::ffff:192.0.2.1`) counts as IPv4.

use crate::config::{Malformed, nearest};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Network {
    V4 { first: u32, mask: u32 },
    V6 { first: u128, mask: u128 },
    Named(Name),
}

/// Beats' named ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Loopback,
    GlobalUnicast,
    LinkLocalUnicast,
    InterfaceLocalMulticast,
    LinkLocalMulticast,
    Multicast,
    Private,
    Public,
    Unspecified,
}

const NAMES: [(&str, Name); 10] = [
    ("loopback", Name::Loopback),
    ("unicast", Name::GlobalUnicast),
    ("global_unicast", Name::GlobalUnicast),
    ("link_local_unicast", Name::LinkLocalUnicast),
    ("interface_local_multicast", Name::InterfaceLocalMulticast),
    ("link_local_multicast", Name::LinkLocalMulticast),
    ("multicast", Name::Multicast),
    ("private", Name::Private),
    ("public", Name::Public),
    ("unspecified", Name::Unspecified),
];

impl Network {
    /// Whether the text is an address in this range.
    pub(super) fn holds_text(&self, text: &str) -> bool {
        text.parse().is_ok_and(|address: IpAddr| self.holds(address.to_canonical()))
    }

    fn holds(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Network::V4 { first, mask }, IpAddr::V4(address)) => address.to_bits() & mask == *first,
            (Network::V6 { first, mask }, IpAddr::V6(address)) => address.to_bits() & mask == *first,
            (Network::Named(name), address) => name.holds(address),
            _ => false,
        }
    }
}

impl Name {
    fn holds(self, address: IpAddr) -> bool {
        match self {
            Name::Loopback => address.is_loopback(),
            Name::GlobalUnicast => {
                let special = address.is_unspecified() || address.is_loopback() || address.is_multicast();
                !special && !is_broadcast(address) && !is_link_local(address)
            }
            Name::LinkLocalUnicast => is_link_local(address),
            Name::InterfaceLocalMulticast => is_multicast_of_scope(address, 1),
            Name::LinkLocalMulticast => match address {
                IpAddr::V4(address) => matches!(address.octets(), [224, 0, 0, _]),
                IpAddr::V6(_) => is_multicast_of_scope(address, 2),
            },
            Name::Multicast => address.is_multicast(),
            Name::Private => is_private(address),
            Name::Public => {
                let local = [
                    Name::Loopback,
                    Name::Unspecified,
                    Name::LinkLocalUnicast,
                    Name::LinkLocalMulticast,
                    Name::InterfaceLocalMulticast,
                    Name::Private,
                ];
                !is_broadcast(address) && !local.iter().any(|name| name.holds(address))
            }
            Name::Unspecified => address.is_unspecified(),
        }
    }
}

impl FromStr for Network {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Network, Malformed> {
        let text = text.trim();
        if let Some((_, name)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(Network::Named(*name));
        }
        if let Some(network) = block(text) {
            return Ok(network);
        }
        let message = format!("`{text}` is neither a block of addresses nor the name of a range");
        Err(match nearest(text, NAMES.iter().map(|(name, _)| *name)) {
            Some(near) => Malformed::new(message, format!("did you mean `{near}`?")),
            None => Malformed::new(message, "write it as `192.0.2.0/24`, `2001:db8::/32` or `private`"),
        })
    }
}

fn block(text: &str) -> Option<Network> {
    let (address, bits) = text.split_once('/')?;
    let bits: u32 = bits.parse().ok().filter(|_| bits.bytes().all(|byte| byte.is_ascii_digit()))?;
    match address.parse().ok()? {
        IpAddr::V4(address) if bits <= Ipv4Addr::BITS => {
            let mask = u32::MAX.checked_shl(Ipv4Addr::BITS - bits).unwrap_or(0);
            Some(Network::V4 { first: address.to_bits() & mask, mask })
        }
        IpAddr::V6(address) if bits <= Ipv6Addr::BITS => {
            let mask = u128::MAX.checked_shl(Ipv6Addr::BITS - bits).unwrap_or(0);
            Some(Network::V6 { first: address.to_bits() & mask, mask })
        }
        _ => None,
    }
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

fn is_multicast_of_scope(address: IpAddr, scope: u8) -> bool {
    matches!(address, IpAddr::V6(address) if matches!(address.octets(), [0xff, flags, ..] if flags & 0x0f == scope))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Beats' documentation of the condition `network`, and RFC 1918, 3927, 4193, 4291, 5771 for the ranges.
    #[test]
    fn ranges_hold_their_addresses() {
        for (network, inside, outside) in [
            ("192.168.1.0/24", "192.168.1.7 192.168.1.255 ::ffff:192.168.1.7", "192.168.2.0 fd00::1"),
            ("192.168.1.77/24", "192.168.1.7", "192.168.2.7"),
            ("0.0.0.0/0", "1.2.3.4 255.255.255.255", "::1"),
            ("10.1.2.3/32", "10.1.2.3", "10.1.2.4"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1 10.0.0.1"),
            ("::/0", "::1 2001:db8::1", "10.0.0.1"),
            ("loopback", "127.0.0.1 127.255.0.1 ::1", "128.0.0.1 ::2"),
            (
                "unicast",
                "8.8.8.8 10.0.0.1 2001:db8::1 fd00::1",
                "127.0.0.1 224.0.0.1 169.254.1.1 255.255.255.255 fe80::1 ::",
            ),
            ("global_unicast", "8.8.8.8 10.0.0.1", "0.0.0.0 ff02::1"),
            ("link_local_unicast", "169.254.169.254 fe80::1", "10.0.0.1 fec0::1"),
            ("interface_local_multicast", "ff01::1 ff11::1", "ff02::1 224.0.0.1"),
            ("link_local_multicast", "224.0.0.251 ff02::fb", "224.0.1.1 ff01::1 ff05::1"),
            ("multicast", "224.0.1.1 239.1.2.3 ff05::1", "223.255.255.255 fe80::1"),
            ("private", "10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 fd00::1 fc00::1", "172.32.0.1 8.8.8.8 fe80::1"),
            (
                "public",
                "8.8.8.8 2001:db8::1 224.0.1.1 172.32.0.1",
                "10.0.0.1 fd00::1 127.0.0.1 ::1 0.0.0.0 :: 169.254.1.1 fe80::1 224.0.0.1 ff01::1 ff02::1 255.255.255.255",
            ),
            ("unspecified", "0.0.0.0 ::", "0.0.0.1 ::1"),
        ] {
            let range: Network = network.parse().unwrap();
            for address in inside.split(' ') {
                assert!(range.holds_text(address), "{network} {address}");
            }
            for address in outside.split(' ').chain(["cloudtrail.amazonaws.com", "", "10.0.0", "10.0.0.1:80"]) {
                assert!(!range.holds_text(address), "{network} {address}");
            }
        }
    }

    #[test]
    fn what_is_no_range_is_told() {
        for text in ["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/+8", "10.0.0/8", "10.0.0.0/", "", "home office"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert_eq!("privat".parse::<Network>().unwrap_err().hint(), "did you mean `private`?");
    }
}
