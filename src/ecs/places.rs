//! What is known of addresses: asked of a [`Places`], which others implement, and remembered.

use super::field::FieldId;
use super::settings::json_string;
use super::table as f;
use std::collections::HashMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

/// Addresses that a mapper remembers.
const REMEMBERED: usize = 4096;

/// Place and network of an address; what is not known is left out of documents.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    pub continent_name: Option<String>,
    /// Two letters.
    pub country_iso_code: Option<String>,
    pub country_name: Option<String>,
    /// Country and region, such as `GB-ENG`.
    pub region_iso_code: Option<String>,
    pub region_name: Option<String>,
    pub city_name: Option<String>,
    /// Latitude and longitude in degrees.
    pub location: Option<(f64, f64)>,
    pub as_number: Option<u32>,
    pub as_organization: Option<String>,
}

/// Where the places of addresses are looked up (ECS mapping 7.3).
pub trait Places: Debug + Send + Sync {
    /// What is known of the address; nothing of a private one.
    fn find(&self, address: IpAddr) -> Place;

    /// Another number when answers may have changed.
    fn generation(&self) -> u64;
}

/// JSON texts of the fields of one address.
type Texts = Arc<[(FieldId, String)]>;

/// A mapper's way to the places, with what it remembers of them.
#[derive(Default)]
pub(super) struct Lookup {
    places: Option<Arc<dyn Places>>,
    known: HashMap<IpAddr, Texts>,
    generation: u64,
}

impl Lookup {
    pub(super) fn new(places: Option<Arc<dyn Places>>) -> Lookup {
        Lookup { places, ..Lookup::default() }
    }

    /// The fields of an IP literal; none when nobody can be asked.
    pub(super) fn look_up(&mut self, address: &str) -> Option<Texts> {
        let places = self.places.as_ref()?;
        let address: IpAddr = address.parse().ok()?;
        let generation = places.generation();
        if generation != self.generation || self.known.len() >= REMEMBERED {
            self.known.clear();
            self.generation = generation;
        }
        Some(Arc::clone(self.known.entry(address).or_insert_with(|| texts(&places.find(address)))))
    }
}

fn texts(place: &Place) -> Texts {
    let named = [
        (f::SOURCE_AS_ORGANIZATION_NAME, &place.as_organization),
        (f::SOURCE_GEO_CITY_NAME, &place.city_name),
        (f::SOURCE_GEO_CONTINENT_NAME, &place.continent_name),
        (f::SOURCE_GEO_COUNTRY_ISO_CODE, &place.country_iso_code),
        (f::SOURCE_GEO_COUNTRY_NAME, &place.country_name),
        (f::SOURCE_GEO_REGION_ISO_CODE, &place.region_iso_code),
        (f::SOURCE_GEO_REGION_NAME, &place.region_name),
    ];
    let named = named.into_iter().filter_map(|(field, text)| Some((field, text.as_deref()?)));
    let named = named.filter(|(_, text)| !text.is_empty()).map(|(field, text)| (field, json_string(text)));
    let number = place.as_number.map(|number| (f::SOURCE_AS_NUMBER, number.to_string()));
    // An index refuses a place that is not on the globe.
    let on_globe = |(lat, lon): &(f64, f64)| lat.abs() <= 90.0 && lon.abs() <= 180.0;
    let location = place.location.filter(on_globe);
    let location = location.map(|(lat, lon)| (f::SOURCE_GEO_LOCATION, format!("{{\"lat\":{lat:?},\"lon\":{lon:?}}}")));
    named.chain(number).chain(location).collect()
}
