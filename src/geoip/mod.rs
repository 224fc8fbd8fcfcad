//! Places and networks of addresses from MaxMind files, which are read into memory and read again when they change.
//!
//! Not here: getting the files, which are the operator's, and the fields, which are `ecs`'s. Invariant: a file that
//! breaks while the program runs does not stop it; what was read before stays in use, and the log says so.

mod config;
mod database;
#[cfg(test)]
pub(crate) mod testing;

pub use config::GeoipConfig;
pub use database::DatabaseError;

use crate::ecs::{Place, Places};
use database::Database;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often files are looked at for changes.
const LOOK: Duration = Duration::from_secs(30);

/// The files of one configuration.
#[derive(Debug)]
pub struct Databases {
    city: Option<Database>,
    asn: Option<Database>,
    generation: AtomicU64,
}

impl Databases {
    /// Reads the configured files; none when none is configured.
    ///
    /// # Errors
    /// The key of the setting whose file is missing or is not what it should be, and why.
    pub fn open(config: &GeoipConfig) -> Result<Option<Databases>, (&'static str, DatabaseError)> {
        let open = |path: &Option<PathBuf>, key, kind| {
            path.as_ref().map(|path| Database::open(path, kind).map_err(|error| (key, error))).transpose()
        };
        let city = open(&config.city_database, "geoip.city_database", "City")?;
        let asn = open(&config.asn_database, "geoip.asn_database", "ASN")?;
        let any = city.is_some() || asn.is_some();
        Ok(any.then(|| Databases { city, asn, generation: AtomicU64::new(0) }))
    }

    /// Reads the files again that have changed.
    pub fn refresh(&self) {
        for database in self.city.iter().chain(&self.asn) {
            match database.refresh() {
                Ok(false) => {}
                Ok(true) => {
                    self.generation.fetch_add(1, Relaxed);
                    tracing::info!("{} has changed and was read again", database.name());
                }
                Err(error) => tracing::warn!("{error}; what was read before stays in use"),
            }
        }
    }

    /// Refreshes from time to time, for as long as somebody uses the databases.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn watch(self: &Arc<Databases>) -> std::io::Result<()> {
        let databases: Weak<Databases> = Arc::downgrade(self);
        let watcher = move || {
            while let Some(databases) = databases.upgrade() {
                databases.refresh();
                drop(databases);
                std::thread::sleep(LOOK);
            }
        };
        std::thread::Builder::new().name("geoip".to_owned()).spawn(watcher).map(|_| ())
    }
}

impl Places for Databases {
    fn find(&self, address: IpAddr) -> Place {
        let city: City = self.city.as_ref().and_then(|city| city.find(address)).unwrap_or_default();
        let asn: Asn = self.asn.as_ref().and_then(|asn| asn.find(address)).unwrap_or_default();
        // The last of the subdivisions is the smallest.
        let region = city.subdivisions.into_iter().next_back().unwrap_or_default();
        let country = city.country.iso_code;
        let region_iso_code = country.as_ref().zip(region.iso_code).map(|(country, code)| format!("{country}-{code}"));
        Place {
            continent_name: city.continent.names.en,
            country_name: city.country.names.en,
            country_iso_code: country,
            region_iso_code,
            region_name: region.names.en,
            city_name: city.city.names.en,
            location: city.location.latitude.zip(city.location.longitude),
            as_number: asn.autonomous_system_number,
            as_organization: asn.autonomous_system_organization,
        }
    }

    fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }
}

/// What is read of an entry of a City file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct City {
    continent: Named,
    country: Named,
    subdivisions: Vec<Named>,
    city: Named,
    location: Location,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    iso_code: Option<String>,
    names: Names,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names {
    en: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// What is read of an entry of an ASN file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asn {
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<String>,
}

#[cfg(test)]
mod tests;
