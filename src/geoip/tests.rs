#![allow(clippy::unwrap_used)]
use super::testing::file;
use super::*;
use crate::ecs::{Mapper, Origin, Position, Settings, Timestamp};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn named(name: &str) -> Value {
    json!({"names": {"en": name, "de": "anders"}})
}

fn place(city: &str) -> Value {
    json!({
        "continent": named("Europe"), "country": {"iso_code": "GB", "names": {"en": "United Kingdom"}}, "city": named(city),
        "subdivisions": [{"iso_code": "ENG", "names": {"en": "England"}}, {"iso_code": "OXF", "names": {"en": "Oxfordshire"}}],
        "location": {"latitude": 51.75, "longitude": -1.25}, "postal": {"code": "OX1"},
    })
}

fn city_file(city: &str) -> Vec<u8> {
    file("GeoLite2-City", &[("192.0.2.0/24", place(city)), ("198.51.100.7/32", json!({"country": {"iso_code": "FR"}}))])
}

fn asn_file() -> Vec<u8> {
    let entry = json!({"autonomous_system_number": 64496, "autonomous_system_organization": "Example \"Net\""});
    file("GeoLite2-ASN", &[("192.0.2.0/24", entry)])
}

fn opened(folder: &Path) -> Arc<Databases> {
    let config =
        GeoipConfig { city_database: Some(folder.join("city.mmdb")), asn_database: Some(folder.join("asn.mmdb")) };
    Arc::new(Databases::open(&config).unwrap().unwrap())
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("city.mmdb"), city_file("Oxford")).unwrap();
    fs::write(folder.path().join("asn.mmdb"), asn_file()).unwrap();
    folder
}

/// `source` of the document of an event from `address`.
fn source(mapper: &mut Mapper, address: &str) -> Value {
    let (origin, mut out) = (Origin::default(), Vec::new());
    let record = json!({ "sourceIPAddress": address }).to_string();
    let at = Position::new(&origin, 0);
    mapper.map(record.as_bytes(), at, Timestamp::from_unix_nanos(0)).unwrap().write(&mut out);
    serde_json::from_slice::<Value>(&out).unwrap()["source"].take()
}

fn mapper(databases: &Arc<Databases>) -> Mapper {
    let places: Arc<dyn Places> = Arc::clone(databases) as Arc<dyn Places>;
    Mapper::new(Arc::new(Settings { places: Some(places), ..Settings::default() }))
}

#[test]
fn an_address_has_its_place_and_its_network() {
    let folder = folder();
    let mut mapper = mapper(&opened(folder.path()));
    let expected = json!({
        "address": "192.0.2.9", "ip": "192.0.2.9",
        "as": {"number": 64496, "organization": {"name": "Example \"Net\""}},
        "geo": {"continent_name": "Europe", "country_iso_code": "GB", "country_name": "United Kingdom", "region_iso_code": "GB-OXF",
            "region_name": "Oxfordshire", "city_name": "Oxford", "location": {"lat": 51.75, "lon": -1.25}},
    });
    for _ in 0..2 {
        assert_eq!(source(&mut mapper, "192.0.2.9"), expected);
    }
    let france = json!({"address": "198.51.100.7", "ip": "198.51.100.7", "geo": {"country_iso_code": "FR"}});
    assert_eq!(source(&mut mapper, "198.51.100.7"), france);
    for unknown in ["10.0.0.1", "198.51.100.8", "2001:db8::1"] {
        assert_eq!(source(&mut mapper, unknown), json!({"address": unknown, "ip": unknown}));
    }
    assert_eq!(source(&mut mapper, "ec2.amazonaws.com"), json!({"address": "ec2.amazonaws.com"}));
}

#[test]
fn a_changed_file_is_read_again_and_a_broken_one_is_not_used() {
    let folder = folder();
    let databases = opened(folder.path());
    let mut mapper = mapper(&databases);
    let path = folder.path().join("city.mmdb");
    let mut city = || source(&mut mapper, "192.0.2.9")["geo"]["city_name"].take();
    assert_eq!(city(), "Oxford");
    databases.refresh();
    assert_eq!(databases.generation(), 0);
    // Another length, so that the change shows on file systems with coarse times, too.
    fs::write(&path, city_file("Bath")).unwrap();
    databases.refresh();
    assert_eq!((city(), databases.generation()), (json!("Bath"), 1));
    for broken in [&b"nonsense"[..], b"", &asn_file()] {
        fs::write(&path, broken).unwrap();
        databases.refresh();
        assert_eq!(city(), "Bath");
    }
    fs::remove_file(&path).unwrap();
    databases.refresh();
    assert_eq!(city(), "Bath");
    fs::write(&path, city_file("Reading")).unwrap();
    databases.refresh();
    assert_eq!(city(), "Reading");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_key() {
    let folder = folder();
    let open = |city: &str, asn: Option<&str>| {
        let config = GeoipConfig {
            city_database: Some(folder.path().join(city)),
            asn_database: asn.map(|asn| folder.path().join(asn)),
        };
        Databases::open(&config).map(|_| ()).map_err(|(key, error)| (key, error.to_string()))
    };
    assert_eq!(open("city.mmdb", Some("asn.mmdb")), Ok(()));
    let (key, text) = open("missing.mmdb", None).unwrap_err();
    assert!(key == "geoip.city_database" && text.contains("missing.mmdb") && text.starts_with("cannot read"), "{text}");
    fs::write(folder.path().join("broken.mmdb"), "nonsense").unwrap();
    assert!(open("broken.mmdb", None).unwrap_err().1.contains("is no MaxMind file"));
    let (key, text) = open("city.mmdb", Some("city.mmdb")).unwrap_err();
    assert!(key == "geoip.asn_database" && text.ends_with("is of the type `GeoLite2-City`, not `ASN`"), "{text}");
    assert!(Databases::open(&GeoipConfig::default()).unwrap().is_none());
}
