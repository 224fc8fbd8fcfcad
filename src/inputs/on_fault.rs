//! `on_fault`: what is done about objects, records and messages that cannot be shipped, by cause.
//!
//! Each kind of input has the causes that it can meet. The defaults lose nothing ([`Policies::default`]).

use crate::pipeline::{Cause, Policies, Policy};
use serde::{Deserialize, Serialize};

/// `on_fault.*` of `aws-s3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectFaults {
    /// No such object, version or bucket.
    pub object_missing: Policy,
    /// Reading the object is not allowed.
    pub access_denied: Policy,
    /// Using the key that encrypts the object is not allowed, or the key is disabled.
    pub kms_denied: Policy,
    /// The object lies in an archive.
    pub archived: Policy,
    /// gzip that is damaged or ends early.
    pub corrupt_object: Policy,
    /// An object that is not JSON or ends early; a record that is not JSON.
    pub broken_json: Policy,
    /// More than `limits.*` allow.
    pub too_large: Final,
    /// A message that is no notification of an object, a `SubscriptionConfirmation` included.
    pub unknown_notification: Policy,
    /// An object in a bucket that `allowed_buckets` does not name.
    pub foreign_bucket: Policy,
}

/// `on_fault.*` of `file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileFaults {
    /// A file that went before it was read.
    pub object_missing: Policy,
    /// Reading the file is not allowed.
    pub access_denied: Policy,
    pub corrupt_object: Policy,
    pub broken_json: Policy,
    pub too_large: Final,
}

/// `on_fault.*` of `aws-cloudwatch`. A group that cannot be read keeps its cursor whatever the cause, and a message that
/// is no record becomes a document (ECS mapping 12).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventFaults {
    pub too_large: Final,
}

/// What is done where another try can change nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Final {
    #[default]
    Park,
    Ignore,
}

impl Default for ObjectFaults {
    fn default() -> ObjectFaults {
        let of = |cause| Policies::default().of(cause);
        ObjectFaults {
            object_missing: of(Cause::ObjectMissing),
            access_denied: of(Cause::AccessDenied),
            kms_denied: of(Cause::KmsDenied),
            archived: of(Cause::Archived),
            corrupt_object: of(Cause::CorruptObject),
            broken_json: of(Cause::BrokenJson),
            too_large: Final::Park,
            unknown_notification: of(Cause::UnknownNotification),
            foreign_bucket: of(Cause::ForeignBucket),
        }
    }
}

impl Default for FileFaults {
    fn default() -> FileFaults {
        let ObjectFaults { object_missing, access_denied, corrupt_object, broken_json, too_large, .. } =
            ObjectFaults::default();
        FileFaults { object_missing, access_denied, corrupt_object, broken_json, too_large }
    }
}

impl ObjectFaults {
    pub fn policies(&self) -> Policies {
        Policies::default()
            .with(Cause::ObjectMissing, self.object_missing)
            .with(Cause::AccessDenied, self.access_denied)
            .with(Cause::KmsDenied, self.kms_denied)
            .with(Cause::Archived, self.archived)
            .with(Cause::CorruptObject, self.corrupt_object)
            .with(Cause::BrokenJson, self.broken_json)
            .with(Cause::TooLarge, self.too_large.into())
            .with(Cause::UnknownNotification, self.unknown_notification)
            .with(Cause::ForeignBucket, self.foreign_bucket)
    }
}

impl FileFaults {
    pub fn policies(&self) -> Policies {
        Policies::default()
            .with(Cause::ObjectMissing, self.object_missing)
            .with(Cause::AccessDenied, self.access_denied)
            .with(Cause::CorruptObject, self.corrupt_object)
            .with(Cause::BrokenJson, self.broken_json)
            .with(Cause::TooLarge, self.too_large.into())
    }
}

impl EventFaults {
    pub fn policies(&self) -> Policies {
        Policies::default().with(Cause::TooLarge, self.too_large.into())
    }
}

impl From<Final> for Policy {
    fn from(chosen: Final) -> Policy {
        match chosen {
            Final::Park => Policy::Park,
            Final::Ignore => Policy::Ignore,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn without_a_word_nothing_changes() {
        assert_eq!(ObjectFaults::default().policies(), Policies::default());
        assert_eq!(FileFaults::default().policies(), Policies::default());
        assert_eq!(EventFaults::default().policies(), Policies::default());
    }

    #[test]
    fn each_key_is_about_its_cause_alone() {
        for cause in Cause::ALL.into_iter().filter(|cause| *cause != Cause::Other) {
            let written = json!({ cause.name(): "ignore" });
            let expected = Policies::default().with(cause, Policy::Ignore);
            assert_eq!(serde_json::from_value::<ObjectFaults>(written.clone()).unwrap().policies(), expected);
            if let Ok(of_file) = serde_json::from_value::<FileFaults>(written) {
                assert_eq!(of_file.policies(), expected);
            }
        }
        let of_events: EventFaults = serde_json::from_value(json!({"too_large": "ignore"})).unwrap();
        assert_eq!(of_events.policies().of(Cause::TooLarge), Policy::Ignore);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for written in [json!({"too_large": "retry"}), json!({"other": "park"}), json!({"archived": "drop"})] {
            assert!(serde_json::from_value::<ObjectFaults>(written.clone()).is_err(), "{written}");
        }
        for written in [json!({"kms_denied": "park"}), json!({"unknown_notification": "park"})] {
            assert!(serde_json::from_value::<FileFaults>(written.clone()).is_err(), "{written}");
            assert!(serde_json::from_value::<EventFaults>(written.clone()).is_err(), "{written}");
        }
    }
}
