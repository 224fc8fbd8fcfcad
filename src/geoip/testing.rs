//! Writes small MaxMind files for tests, by the published format (MaxMind DB File Format Specification 2.0).
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// A file of the type `kind` with entries for IPv4 networks.
pub fn file(kind: &str, networks: &[(&str, Value)]) -> Vec<u8> {
    // Two records a node: a node's number, or an entry's index with this bit, or nothing.
    const ENTRY: u32 = 1 << 31;
    const NOTHING: u32 = u32::MAX;
    let mut nodes = vec![[NOTHING; 2]];
    let (mut data, mut offsets) = (Vec::new(), Vec::new());
    for (i, (network, entry)) in networks.iter().enumerate() {
        offsets.push(data.len() as u32);
        encode(&mut data, entry);
        let (address, length) = network.split_once('/').unwrap();
        let (address, length) = (u32::from(address.parse::<Ipv4Addr>().unwrap()), length.parse::<u32>().unwrap());
        let mut node = 0;
        for depth in 0..length {
            let bit = (address >> (31 - depth) & 1) as usize;
            if depth + 1 == length {
                nodes[node][bit] = ENTRY | i as u32;
            } else {
                if nodes[node][bit] == NOTHING {
                    nodes[node][bit] = nodes.len() as u32;
                    nodes.push([NOTHING; 2]);
                }
                node = nodes[node][bit] as usize;
            }
        }
    }
    let count = nodes.len() as u32;
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match *record {
            NOTHING => count,
            entry if entry & ENTRY != 0 => count + 16 + offsets[(entry ^ ENTRY) as usize],
            node => node,
        };
        file.extend_from_slice(&number.to_be_bytes());
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xAB\xCD\xEFMaxMind.com");
    // In the metadata each number has a type of its own.
    head(&mut file, 7, 9);
    for (key, number) in [
        ("binary_format_major_version", 2u16),
        ("binary_format_minor_version", 0),
        ("ip_version", 4),
        ("record_size", 32),
    ] {
        encode(&mut file, &json!(key));
        head(&mut file, 5, 2);
        file.extend_from_slice(&number.to_be_bytes());
    }
    encode(&mut file, &json!("build_epoch"));
    head(&mut file, 9, 8);
    file.extend_from_slice(&1u64.to_be_bytes());
    for (key, value) in [
        ("node_count", json!(count)),
        ("database_type", json!(kind)),
        ("description", json!({})),
        ("languages", json!(["en"])),
    ] {
        encode(&mut file, &json!(key));
        encode(&mut file, &value);
    }
    file
}

fn encode(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(members) => {
            head(out, 7, members.len());
            for (key, member) in members {
                encode(out, &json!(key));
                encode(out, member);
            }
        }
        Value::Array(elements) => {
            head(out, 11, elements.len());
            elements.iter().for_each(|element| encode(out, element));
        }
        Value::String(text) => {
            head(out, 2, text.len());
            out.extend_from_slice(text.as_bytes());
        }
        Value::Number(number) if number.is_f64() => {
            head(out, 3, 8);
            out.extend_from_slice(&number.as_f64().unwrap().to_be_bytes());
        }
        Value::Number(number) => {
            head(out, 6, 4);
            out.extend_from_slice(&(number.as_u64().unwrap() as u32).to_be_bytes());
        }
        other => panic!("{other} is not needed"),
    }
}

/// Type and size of a value; sizes up to 284.
fn head(out: &mut Vec<u8>, kind: u8, size: usize) {
    let (first, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
    match kind {
        1..=7 => out.push(kind << 5 | first),
        _ => out.extend_from_slice(&[first, kind - 7]),
    }
    out.extend(more);
}
