//! In which order objects are read, among those that wait: any, or the newest first.
//!
//! An object is as new as CloudTrail's delivery of it, which its key tells (CloudTrail formats 1.1 to 1.3).

use crate::record::trail_key::TrailKey;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

/// `order` of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// As they come.
    #[default]
    Any,
    /// The newest of those that wait goes first.
    Newest,
}

/// When CloudTrail delivered the object of this key (UTC): to the minute by its name, else the day by its folders.
pub fn delivered(key: &str) -> Option<DateTime> {
    let key = TrailKey::parse(key)?;
    key.time.or_else(|| key.date.map(|date| date.to_datetime(jiff::civil::Time::midnight())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn the_name_tells_the_minute_and_the_folders_the_day() {
        let folder = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/04";
        for (key, time) in [
            (
                format!("{folder}/111122223333_CloudTrail_eu-west-1_20260304T0506Z_abc.json.gz"),
                Some(date(2026, 3, 4).at(5, 6, 0, 0)),
            ),
            (format!("{folder}/renamed.json.gz"), Some(date(2026, 3, 4).at(0, 0, 0, 0))),
            ("other/file.json.gz".to_owned(), None),
        ] {
            assert_eq!(delivered(&key), time, "{key}");
        }
    }
}
