//! Single objects of S3 and messages read again, as letters of the dead letter have them.
//!
//! The queue is not touched. An object that the patterns of the input skip by now is not read, nor one in a bucket that
//! is not allowed.

use super::allowed::AllowedBuckets;
use super::object::S3Reads;
use super::receiver::Reads;
use crate::ack::{Delivery, Part};
use crate::ecs::Origin;
use crate::inputs::Again;
use crate::inputs::reader::Read;
use crate::inputs::selection::{Choice, Selection};
use crate::output::Source;
use crate::record::notification::{self, Notification, ObjectRef};
use std::pin::Pin;

/// The objects of one input.
pub struct ObjectsAgain {
    pub reads: S3Reads,
    pub selection: Selection,
    pub allowed: AllowedBuckets,
}

impl Again for ObjectsAgain {
    fn origin(&self, source: &Source) -> Origin {
        self.reads.origin(source.bucket.as_deref().unwrap_or_default(), &source.object, None)
    }

    fn read<'a>(&'a self, part: Part, source: &'a Source) -> Pin<Box<dyn Future<Output = Read> + Send + 'a>> {
        Box::pin(async move {
            let Some(bucket) = &source.bucket else { return refused(part, "the letter names no bucket") };
            let object = ObjectRef::named(bucket, &source.object, source.version.as_deref());
            match self.selection.choose(&source.object) {
                Choice::Skip => refused(part, "the patterns of the input skip this object"),
                choice => self.allowed(part, &object, choice).await,
            }
        })
    }

    fn message<'a>(&'a self, delivery: Delivery, body: &'a str) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let (objects, unread) = match notification::read(body) {
                Ok(Notification::Objects { objects, unread, .. }) => (objects, unread),
                Ok(Notification::Test | Notification::Validation) => (Vec::new(), None),
                Ok(Notification::SubscriptionConfirmation { .. }) => {
                    return delivery
                        .fail("a topic asks to confirm its subscription: open the `SubscribeURL` of the message");
                }
                Err(unknown) => (Vec::new(), Some(unknown)),
            };
            for object in &objects {
                match self.selection.choose(object.key.as_str()) {
                    Choice::Skip => {}
                    // How it ended, its part tells the delivery.
                    choice => drop(self.allowed(delivery.part(), object, choice).await),
                }
            }
            match unread {
                None => delivery.seal(),
                Some(unknown) => delivery.fail(format!(
                    "this version does not understand the message either: {unknown}; {}",
                    unknown.advice()
                )),
            }
        })
    }
}

impl ObjectsAgain {
    async fn allowed(&self, part: Part, object: &ObjectRef, choice: Choice) -> Read {
        if !self.allowed.contain(&object.bucket) {
            return refused(part, "the bucket is not in `allowed_buckets`");
        }
        self.reads.read(part, object, choice, None).await
    }
}

fn refused(part: Part, reason: &str) -> Read {
    part.fail(reason);
    Read::Failed { transient: false, cause: None, reason: reason.to_owned() }
}
