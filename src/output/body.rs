//! The bytes of a bulk as they go over the wire, and smaller bodies cut out of them.
//!
//! Cutting inflates and compresses again, megabytes at a time: callers keep it off the async threads. Knows items by
//! their lengths only, never by their content.

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor, Decompressor};

/// Items one after the other, each ending in a newline; compressed or plain.
#[derive(Debug, Clone)]
pub struct Body {
    /// As sent: gzip when `gzip`, else plain.
    pub wire: Bytes,
    pub gzip: bool,
    /// Bytes of each item in the plain body, in order.
    pub items: Vec<u32>,
}

/// A body that is not what its maker says: a fault of this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    #[error("the items of the bulk have {expected} bytes by their lengths, its body has {found}")]
    Length { expected: usize, found: usize },
    #[error("the bulk does not inflate: {0}")]
    Gzip(String),
    #[error("cutting the bulk failed: {0}")]
    Cut(String),
}

impl Body {
    /// Records in it.
    pub fn records(&self) -> usize {
        self.items.len()
    }

    /// Bytes of the plain form.
    pub fn plain_bytes(&self) -> usize {
        self.items.iter().map(|length| *length as usize).sum()
    }

    /// The plain form; only inflates when it must.
    ///
    /// # Errors
    /// Body and lengths do not agree.
    pub fn plain(&self) -> Result<Bytes, Unsound> {
        let expected = self.plain_bytes();
        let plain = if self.gzip {
            let mut inflated = vec![0; expected];
            let found = Decompressor::new()
                .gzip_decompress(&self.wire, &mut inflated)
                .map_err(|fault| Unsound::Gzip(fault.to_string()))?;
            inflated.truncate(found);
            Bytes::from(inflated)
        } else {
            self.wire.clone()
        };
        if plain.len() == expected { Ok(plain) } else { Err(Unsound::Length { expected, found: plain.len() }) }
    }

    /// The plain bytes of each item, shared and not copied.
    ///
    /// # Errors
    /// Body and lengths do not agree.
    pub fn plain_items(&self) -> Result<Vec<Bytes>, Unsound> {
        let mut rest = self.plain()?;
        Ok(self.items.iter().map(|length| rest.split_to(*length as usize)).collect())
    }

    /// A body of these items; compressed at `level` 1 to 9, plain at 0.
    pub fn of(items: &[Bytes], level: u8) -> Body {
        let plain: Vec<u8> = items.iter().flat_map(|item| item.iter().copied()).collect();
        let lengths = items.iter().map(|item| u32::try_from(item.len()).unwrap_or(u32::MAX)).collect();
        let packed = (level > 0).then(|| packed(&plain, level)).flatten();
        Body { gzip: packed.is_some(), wire: Bytes::from(packed.unwrap_or(plain)), items: lengths }
    }
}

/// Gzip of `plain`; `None` where the level is none, and then the plain form serves.
fn packed(plain: &[u8], level: u8) -> Option<Vec<u8>> {
    let mut compressor = Compressor::new(CompressionLvl::new(level.into()).ok()?);
    let mut packed = vec![0; compressor.gzip_compress_bound(plain.len())];
    let length = compressor.gzip_compress(plain, &mut packed).ok()?;
    packed.truncate(length);
    Some(packed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    fn items(texts: &[&str]) -> Vec<Bytes> {
        texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect()
    }

    #[test]
    fn what_is_packed_is_gzip_that_others_read() {
        let body = Body::of(&items(&["one\n", "two\n"]), 1);
        assert!(body.gzip);
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&body.wire[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn disagreement_is_an_error_and_no_panic() {
        let mut body = Body::of(&items(&["one\n", "two\n"]), 0);
        body.items = vec![4, 5];
        assert_eq!(body.plain_items(), Err(Unsound::Length { expected: 9, found: 8 }));
        let mut body = Body::of(&items(&["one\n", "two\n"]), 1);
        body.items = vec![4];
        assert!(matches!(body.plain(), Err(Unsound::Gzip(_))));
        body.items = vec![400];
        assert_eq!(body.plain(), Err(Unsound::Length { expected: 400, found: 8 }));
    }

    proptest! {
        #[test]
        fn items_come_out_as_they_went_in(texts in prop::collection::vec("[a-z\n]{0,40}", 0..20), level in 0u8..=9) {
            let items: Vec<Bytes> = texts.into_iter().map(Bytes::from).collect();
            let body = Body::of(&items, level);
            prop_assert_eq!(body.gzip, level > 0);
            prop_assert_eq!(body.plain_items().unwrap(), items);
        }
    }
}
