//! S3 and SQS on one port, and the door for the measuring side.
//!
//! `POST /_bench/fill?prefix=` announces every object below the prefix, as the bucket would; `POST /_bench/reset` empties
//! the queue and the counters; `GET /_bench/stats` shows them.

use crate::http::{Request, Response};
use crate::objects::{BUCKET, ETAG, Objects, REGION};
use crate::queue::Queue;
use serde_json::{Value, json};
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::Ordering;

pub struct Aws {
    objects: Objects,
    queue: Queue,
}

impl Aws {
    /// Takes every file below `folder` for an object.
    pub fn load(folder: &Path) -> io::Result<Aws> {
        Ok(Aws { objects: Objects::load(folder)?, queue: Queue::default() })
    }

    pub fn answer(&self, request: &Request, peer: &TcpStream) -> Response {
        if let Some(command) = request.path.strip_prefix("/_bench/") {
            return self.command(command, request);
        }
        let target = request.header("x-amz-target");
        match target.and_then(|target| target.strip_prefix("AmazonSQS.")) {
            Some(operation) => {
                let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
                self.queue.answer(operation, &body, peer)
            }
            None => self.objects.answer(request),
        }
    }

    fn command(&self, command: &str, request: &Request) -> Response {
        let done = match command {
            "fill" => {
                let prefix = request.parameter("prefix").unwrap_or_default();
                let announced = self.objects.sizes(prefix).map(|(key, size)| notification(key, size));
                json!({"announced": self.queue.fill(announced)})
            }
            "reset" => {
                self.objects.requests.store(0, Ordering::Relaxed);
                self.queue.reset();
                json!({})
            }
            "stats" => {
                let requests = self.objects.requests.load(Ordering::Relaxed);
                json!({"queue": self.queue.stats(), "objects": {"requests": requests}})
            }
            _ => return Response::json(404, &json!({})),
        };
        Response::json(200, &done)
    }
}

/// What a bucket sends to its queue about a new object.
fn notification(key: &str, size: usize) -> String {
    let bucket = json!({"name": BUCKET, "ownerIdentity": {"principalId": "A3NL1KOZZKEXAMPLE"},
        "arn": format!("arn:aws:s3:::{BUCKET}")});
    let object = json!({"key": form_encoded(key), "size": size, "eTag": ETAG, "sequencer": "0055AED6DCD90281E5"});
    let record = json!({"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": REGION,
        "eventTime": "2025-06-02T08:05:00.000Z", "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE:cloudtrail"},
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "EXAMPLE"},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "bench", "bucket": bucket, "object": object}});
    json!({"Records": [record]}).to_string()
}

/// Keys as notifications have them: a space is `+`, `/` stays.
fn form_encoded(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_form_encoded() {
        assert_eq!(form_encoded("a b/é+c.json.gz"), "a+b/%C3%A9%2Bc.json.gz");
    }
}
