//! Single objects of S3 read again, as letters of the dead letter name them.
//!
//! The queue is not touched. An object that the patterns of the input skip by now is not read.

use super::object::S3Reads;
use super::receiver::Reads;
use crate::ack::Part;
use crate::ecs::Origin;
use crate::inputs::Again;
use crate::inputs::reader::Read;
use crate::inputs::selection::{Choice, Selection};
use crate::output::Source;
use crate::record::notification::ObjectRef;
use std::pin::Pin;

/// The objects of one input.
pub struct ObjectsAgain {
    pub reads: S3Reads,
    pub selection: Selection,
}

impl Again for ObjectsAgain {
    fn origin(&self, source: &Source) -> Origin {
        self.reads.origin(source.bucket.as_deref().unwrap_or_default(), &source.object, None)
    }

    fn read<'a>(&'a self, part: Part, source: &'a Source) -> Pin<Box<dyn Future<Output = Read> + Send + 'a>> {
        let choice = self.selection.choose(&source.object);
        let refused = match (&source.bucket, choice) {
            (None, _) => Some("the letter names no bucket"),
            (_, Choice::Skip) => Some("the patterns of the input skip this object"),
            _ => None,
        };
        if let Some(reason) = refused {
            part.fail(reason);
            return Box::pin(std::future::ready(Read::Failed { transient: false, reason: reason.to_owned() }));
        }
        let bucket = source.bucket.as_deref().unwrap_or_default();
        let object = ObjectRef::named(bucket, &source.object, source.version.as_deref());
        Box::pin(async move { self.reads.read(part, &object, choice, None).await })
    }
}
