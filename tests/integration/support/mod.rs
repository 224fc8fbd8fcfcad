//! What the tests share: servers, a bucket with its queue, an index to look into, the program itself.

pub mod aws;
pub mod between;
pub mod disk;
pub mod index;
pub mod logs;
pub mod program;
pub mod proxy;
pub mod search;
pub mod servers;
pub mod trail;

/// Runs the rest of the test only when the server is there; otherwise the test counts as skipped.
#[macro_export]
macro_rules! have {
    ($server:expr) => {
        match $server {
            Ok(server) => server,
            Err(reason) => return $crate::support::servers::skipped(&reason),
        }
    };
}
