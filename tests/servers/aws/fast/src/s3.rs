//! Path-style S3: objects are shared buffers, so a copy of a 20 MB object costs no memory.

use crate::fault::error;
use crate::http::{Body, Request, Response, form_encode};
use crate::sqs::Queues;
use crate::time::{http_date, iso, now_ms};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, RwLock};

#[derive(Clone)]
struct Object {
    data: Arc<Vec<u8>>,
    etag: String,
    modified: i64,
    headers: Vec<(String, String)>,
}

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Object>,
    queue: Option<String>,
}

#[derive(Default)]
pub struct S3(RwLock<HashMap<String, Bucket>>);

pub fn operation(req: &Request) -> &'static str {
    let key = req.path.trim_start_matches('/').split_once('/').is_some_and(|(_, k)| !k.is_empty());
    match (req.method.as_str(), key) {
        ("GET", true) => "GetObject",
        ("HEAD", true) => "HeadObject",
        ("PUT", true) if req.header("x-amz-copy-source").is_some() => "CopyObject",
        ("PUT", true) => "PutObject",
        ("DELETE", true) => "DeleteObject",
        ("GET", false) if req.param("location").is_some() => "GetBucketLocation",
        ("GET", false) => "ListObjects",
        ("HEAD", false) => "HeadBucket",
        ("PUT", false) if req.param("notification").is_some() => "PutBucketNotificationConfiguration",
        ("PUT", false) => "CreateBucket",
        _ => "Unknown",
    }
}

impl S3 {
    pub fn handle(&self, op: &str, req: &Request, queues: &Queues) -> Response {
        let (bucket, key) =
            req.path.trim_start_matches('/').split_once('/').unwrap_or((req.path.trim_start_matches('/'), ""));
        if op == "CreateBucket" {
            self.0.write().unwrap().entry(bucket.into()).or_default();
            return Response::new(200, "", "");
        }
        if matches!(op, "PutObject" | "CopyObject" | "DeleteObject" | "PutBucketNotificationConfiguration") {
            return self.change(op, req, bucket, key, queues);
        }
        let all = self.0.read().unwrap();
        let Some(b) = all.get(bucket) else {
            return error(false, 404, "NoSuchBucket", "The specified bucket does not exist");
        };
        match op {
            "GetObject" | "HeadObject" => match b.objects.get(key) {
                Some(o) => get(o, req, op == "HeadObject"),
                None => error(false, 404, "NoSuchKey", "The specified key does not exist."),
            },
            "ListObjects" => list(bucket, b, req),
            "GetBucketLocation" => Response::new(
                200,
                "application/xml",
                r#"<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>"#,
            ),
            "HeadBucket" => Response::new(200, "", ""),
            _ => error(false, 501, "NotImplemented", "not implemented here"),
        }
    }

    fn change(&self, op: &str, req: &Request, bucket: &str, key: &str, queues: &Queues) -> Response {
        let mut all = self.0.write().unwrap();
        let object = match op {
            "CopyObject" => {
                let src = crate::http::percent_decode(req.header("x-amz-copy-source").unwrap_or(""), false);
                let (sb, sk) = src.trim_start_matches('/').split_once('/').unwrap_or((&src, ""));
                match all.get(sb).and_then(|b| b.objects.get(sk)) {
                    Some(o) => Some(Object { modified: now_ms(), ..o.clone() }),
                    None => {
                        return error(false, 404, "NoSuchKey", "The specified key does not exist.");
                    }
                }
            }
            "PutObject" => Some(Object {
                etag: format!("\"{:x}\"", md5::compute(&req.body)),
                data: Arc::new(req.body.clone()),
                modified: now_ms(),
                headers: req
                    .headers
                    .iter()
                    .filter(|(k, v)| {
                        k.starts_with("x-amz-meta-")
                            || k == "content-type"
                            || k == "content-encoding" && v != "aws-chunked"
                    })
                    .cloned()
                    .collect(),
            }),
            _ => None,
        };
        let Some(b) = all.get_mut(bucket) else {
            return error(false, 404, "NoSuchBucket", "The specified bucket does not exist");
        };
        match (op, object) {
            ("DeleteObject", _) => {
                b.objects.remove(key);
                Response::new(204, "", "")
            }
            ("PutBucketNotificationConfiguration", _) => {
                let xml = String::from_utf8_lossy(&req.body);
                let arn = xml.split("<Queue>").nth(1).and_then(|s| s.split("</Queue>").next());
                b.queue = arn.and_then(|a| a.rsplit(':').next()).map(str::to_string);
                Response::new(200, "", "")
            }
            (_, Some(o)) => {
                if let Some(q) = &b.queue {
                    queues.send(q, notification(bucket, key, &o, op));
                }
                let etag = o.etag.clone();
                let body = if op == "CopyObject" {
                    format!(
                        "<CopyObjectResult><ETag>{}</ETag><LastModified>{}</LastModified></CopyObjectResult>",
                        xml_escape(&etag),
                        iso(o.modified)
                    )
                } else {
                    String::new()
                };
                b.objects.insert(key.into(), o);
                Response::new(200, "application/xml", body).with("etag", etag)
            }
            _ => error(false, 501, "NotImplemented", "not implemented here"),
        }
    }
}

fn get(o: &Object, req: &Request, head: bool) -> Response {
    let size = o.data.len();
    if req.header("if-match").is_some_and(|v| v != "*" && v != o.etag) {
        return error(
            false,
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        );
    }
    if req.header("if-none-match").is_some_and(|v| v == "*" || v == o.etag) {
        return Response::new(304, "", "").with("etag", o.etag.clone());
    }
    let (status, from, to) =
        match req.header("range").and_then(|r| r.strip_prefix("bytes=")).and_then(|r| r.split_once('-')) {
            None => (200, 0, size),
            Some(("", n)) => (206, size.saturating_sub(n.parse().unwrap_or(0)), size),
            Some((a, z)) => (206, a.parse().unwrap_or(0), z.parse::<usize>().map_or(size, |z| (z + 1).min(size))),
        };
    if from >= to && status == 206 {
        return error(false, 416, "InvalidRange", "The requested range is not satisfiable");
    }
    let mut r = Response { status, headers: o.headers.clone(), body: Body::Shared { data: o.data.clone(), from, to } }
        .with("etag", o.etag.clone())
        .with("last-modified", http_date(o.modified / 1000))
        .with("accept-ranges", "bytes");
    if status == 206 {
        r = r.with("content-range", format!("bytes {from}-{}/{size}", to - 1));
    }
    if head {
        r.body = Body::Owned(vec![]);
        r = r.with("head-length", (to - from).to_string());
    }
    r
}

/// ListObjectsV2 and, without `list-type`, ListObjects with its marker, which knows no delimiter.
fn list(bucket: &str, b: &Bucket, req: &Request) -> Response {
    let prefix = req.param("prefix").unwrap_or("");
    let max = req.param("max-keys").and_then(|v| v.parse().ok()).unwrap_or(1000usize).min(1000);
    let after = req.param("continuation-token").or(req.param("start-after")).or(req.param("marker")).unwrap_or("");
    let from = if after.is_empty() { Bound::Included(prefix) } else { Bound::Excluded(after.max(prefix)) };
    let from = if after < prefix { Bound::Included(prefix) } else { from };
    let mut rows =
        b.objects.range::<str, _>((from, Bound::Unbounded)).take_while(|(k, _)| k.starts_with(prefix)).peekable();
    let encode = |k: &str| {
        if req.param("encoding-type") == Some("url") { form_encode(k) } else { xml_escape(k) }
    };
    let delimiter = req.param("delimiter").filter(|d| !d.is_empty());
    let folder = |k: &'_ str| delimiter.and_then(|d| Some(prefix.len() + k[prefix.len()..].find(d)? + d.len()));
    let (mut xml, mut folders, mut last, mut n) = (String::new(), String::new(), after, 0);
    while let Some((k, o)) = rows.peek() {
        let end = folder(k);
        if end.is_none_or(|end| k[..end] != *last) {
            if n == max {
                break;
            }
            n += 1;
            last = &k[..end.unwrap_or(k.len())];
            match end {
                Some(_) => folders.push_str(&format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", encode(last))),
                None => xml.push_str(&format!("<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>", encode(k), iso(o.modified), xml_escape(&o.etag), o.data.len())),
            }
        }
        rows.next();
    }
    let more = rows.peek().is_some();
    let next = if more {
        format!("<NextContinuationToken>{}</NextContinuationToken>", xml_escape(last))
    } else {
        String::new()
    };
    let encoding = req.param("encoding-type").map_or(String::new(), |e| format!("<EncodingType>{e}</EncodingType>"));
    Response::new(
        200,
        "application/xml",
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name><Prefix>{}</Prefix><KeyCount>{n}</KeyCount><MaxKeys>{max}</MaxKeys><IsTruncated>{more}</IsTruncated>{encoding}{next}{xml}{folders}</ListBucketResult>",
            encode(prefix)
        ),
    )
}

fn notification(bucket: &str, key: &str, o: &Object, op: &str) -> String {
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": iso(o.modified),
        "eventName": if op == "CopyObject" { "ObjectCreated:Copy" } else { "ObjectCreated:Put" },
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE:cloudtrail"}, "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "0000000000000000", "x-amz-id-2": "0"},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "fast",
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": "A3NL1KOZZKExample"}, "arn": format!("arn:aws:s3:::{bucket}")},
            "object": {"key": form_encode(key), "size": o.data.len(), "eTag": o.etag.trim_matches('"'), "sequencer": format!("{:018X}", o.modified)}}
    }]}).to_string()
}

fn xml_escape(s: &str) -> String {
    s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
