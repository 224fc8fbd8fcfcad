//! CloudTrail's own formats: objects, records, keys and notifications. Pure: no I/O, no ECS, no AWS SDK.

pub mod inflate;
pub mod json;
pub mod log_event;
pub mod notification;
mod scan;
pub mod split;
pub mod trail_key;
