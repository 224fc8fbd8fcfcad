//! An object in S3 as the reader opens it, and where its records say that they come from.

use super::receiver::Reads;
use crate::ack::Part;
use crate::aws::client::{Buckets, Place};
use crate::aws::fault::{Fault, FaultKind};
use crate::aws::region::partition;
use crate::ecs::Origin;
use crate::inputs::Context;
use crate::inputs::reader::{self, Chunks, Object, Read, ReadFault, Subject};
use crate::inputs::selection::Choice;
use crate::integrity::note::Seen;
use crate::output::Source;
use crate::pipeline::Cause;
use crate::record::notification::ObjectRef;
use crate::status::Part as HealthPart;
use crate::visible;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Reads the objects of S3 into the mill.
pub struct S3Reads {
    pub input: String,
    pub buckets: Arc<Buckets>,
    pub context: Context,
    /// Longest wait for one piece of a body.
    pub piece_timeout: Duration,
}

impl Reads for S3Reads {
    async fn read(&self, part: Part, object: &ObjectRef, choice: Choice, seen: Option<Seen>) -> Read {
        let subject = Subject { seen, ..self.subject(object, choice) };
        let object = S3Object {
            buckets: &self.buckets,
            named: object,
            piece_timeout: self.piece_timeout,
            health: &self.context.progress.health,
        };
        reader::read(&self.context, part, &subject, &object).await
    }
}

impl S3Reads {
    fn subject(&self, object: &ObjectRef, choice: Choice) -> Subject {
        let source = source(&self.input, object);
        let origin = self.origin(&object.bucket, object.key.as_str(), object.region.as_deref());
        Subject { origin: Arc::new(origin), source: Arc::new(source), digest: choice == Choice::Digest, seen: None }
    }

    /// What documents of records in this object say of their origin; `region` where the notification tells.
    pub fn origin(&self, bucket: &str, key: &str, region: Option<&str>) -> Origin {
        let region = self.buckets.region_of(bucket, region);
        Origin {
            input_type: "aws-s3",
            bucket_name: Some(bucket.to_owned()),
            bucket_arn: Some(format!("arn:{}:s3:::{bucket}", partition(&region))),
            object_key: Some(key.to_owned()),
            log_file_path: Some(self.buckets.url(bucket, key, &region)),
            region: Some(region),
            ..Origin::default()
        }
    }
}

/// How the dead letter names an object of the input.
pub fn source(input: &str, object: &ObjectRef) -> Source {
    Source {
        input: input.to_owned(),
        bucket: Some(object.bucket.clone()),
        object: object.key.as_str().to_owned(),
        version: object.version.clone(),
    }
}

struct S3Object<'a> {
    buckets: &'a Buckets,
    named: &'a ObjectRef,
    piece_timeout: Duration,
    health: &'a HealthPart,
}

/// The call that readings report on.
const GET: &str = "s3:GetObject";

struct Body {
    stream: ByteStream,
    etag: Option<String>,
    subject: String,
    piece_timeout: Duration,
}

impl Object for S3Object<'_> {
    type Stream = Body;

    async fn open(&self) -> Result<Body, ReadFault> {
        let place = Place {
            bucket: &self.named.bucket,
            key: self.named.key.as_str(),
            version: self.named.version.as_deref(),
            hint: self.named.region.as_deref(),
        };
        let opened = match self.buckets.open(place).await {
            Ok(opened) => opened,
            Err(fault) => {
                // What concerns this object alone is no trouble of the input.
                if matches!(fault.kind, FaultKind::Credentials | FaultKind::Expired) {
                    self.health.trouble(GET, fault.told(), &format!("{fault}; {}", fault.advice()));
                }
                return Err(read_fault(&fault));
            }
        };
        self.health.well(GET);
        let subject = format!("s3://{}/{}", place.bucket, place.key);
        Ok(Body { stream: opened.body, etag: opened.e_tag, subject, piece_timeout: self.piece_timeout })
    }
}

impl Chunks for Body {
    fn version(&self) -> Option<String> {
        self.etag.clone()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ReadFault> {
        let piece = match tokio::time::timeout(self.piece_timeout, self.stream.next()).await {
            Ok(piece) => piece,
            Err(_) => {
                return Err(ReadFault::Transient(format!(
                    "no byte of `{}` came within {:?}",
                    visible::line(&self.subject),
                    self.piece_timeout
                )));
            }
        };
        piece.transpose().map_err(|error| read_fault(&Fault::of_body(&self.subject, &error)))
    }
}

/// What may pass is tried again by the reader; the rest is said with the way to mend it.
fn read_fault(fault: &Fault) -> ReadFault {
    if fault.may_pass() {
        return ReadFault::Transient(fault.to_string());
    }
    let cause = match fault.kind {
        FaultKind::Missing => Cause::ObjectMissing,
        FaultKind::Denied => Cause::AccessDenied,
        FaultKind::KmsDenied => Cause::KmsDenied,
        FaultKind::Archived => Cause::Archived,
        _ => Cause::Other,
    };
    ReadFault::Final { cause, code: fault.code(), text: format!("{fault}; {}", fault.advice()) }
}
