//! One bucket, path style, from memory: GET and HEAD of objects with ranges, and HEAD of the bucket.

use crate::http::{Request, Response};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub const BUCKET: &str = "trail";
pub const REGION: &str = "us-east-1";
pub const ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e";
/// All objects are as old as each other.
const MODIFIED: &str = "Mon, 02 Jun 2025 08:00:00 GMT";

/// The bucket's objects by their keys.
pub struct Objects {
    all: BTreeMap<String, Arc<Vec<u8>>>,
    pub requests: AtomicU64,
}

impl Objects {
    /// Reads every file below `folder`; a file's path from there is its key.
    pub fn load(folder: &Path) -> io::Result<Objects> {
        let mut all = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(&next)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(key) = path.strip_prefix(folder).ok().and_then(Path::to_str) {
                    all.insert(key.to_owned(), Arc::new(std::fs::read(&path)?));
                }
            }
        }
        Ok(Objects { all, requests: AtomicU64::new(0) })
    }

    /// Keys that start with `prefix`, and their sizes in bytes.
    pub fn sizes(&self, prefix: &str) -> impl Iterator<Item = (&str, usize)> {
        let matching = self.all.iter().filter(move |(key, _)| key.starts_with(prefix));
        matching.map(|(key, data)| (key.as_str(), data.len()))
    }

    pub fn answer(&self, request: &Request) -> Response {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let path = request.path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let answer = match (request.method.as_str(), bucket, self.all.get(key)) {
            (_, bucket, _) if bucket != BUCKET => fault(404, "NoSuchBucket"),
            ("HEAD", ..) if key.is_empty() => Response::text(200, "application/xml", Vec::new()),
            ("GET" | "HEAD", _, Some(data)) => object(key, data, request.header("range")),
            ("GET" | "HEAD", _, None) if !key.is_empty() => fault(404, "NoSuchKey"),
            _ => fault(501, "NotImplemented"),
        };
        answer.with("x-amz-request-id", "C3D13FE58DE4C810").with("x-amz-bucket-region", REGION)
    }
}

fn object(key: &str, data: &Arc<Vec<u8>>, range: Option<&str>) -> Response {
    let size = data.len();
    let Some((from, to)) = range.map_or(Some((0, size)), |range| bounds(range, size)) else {
        return fault(416, "InvalidRange");
    };
    let mut answer = Response::object(range.map_or(200, |_| 206), Arc::clone(data), from, to)
        .with("content-type", "application/json")
        .with("etag", format!("\"{ETAG}\""))
        .with("last-modified", MODIFIED)
        .with("accept-ranges", "bytes");
    if range.is_some() {
        answer = answer.with("content-range", format!("bytes {from}-{}/{size}", to - 1));
    }
    // As CloudTrail stores them.
    if key.ends_with(".gz") {
        answer = answer.with("content-encoding", "gzip");
    }
    answer
}

/// First byte and end of what a Range header asks for; none when it is outside.
fn bounds(range: &str, size: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, size.min(last.saturating_add(1))),
        (Ok(first), Err(_)) => (first, size),
        (Err(_), Ok(length)) => (size.saturating_sub(length), size),
        _ => return None,
    };
    (from < to).then_some((from, to))
}

fn fault(status: u16, code: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    );
    Response::text(status, "application/xml", body.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(bounds("bytes=0-9", 100), Some((0, 10)));
        assert_eq!(bounds("bytes=90-199", 100), Some((90, 100)));
        assert_eq!(bounds("bytes=90-", 100), Some((90, 100)));
        assert_eq!(bounds("bytes=-10", 100), Some((90, 100)));
        for outside in ["bytes=100-", "bytes=9-8", "bytes=-", "lines=1-2"] {
            assert_eq!(bounds(outside, 100), None, "{outside}");
        }
    }
}
