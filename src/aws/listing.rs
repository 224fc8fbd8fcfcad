//! Names of objects and folders in a bucket, page by page, in S3's order.
//!
//! Keys are asked for URL-encoded: one with characters that XML cannot hold would make the whole page unreadable.

use super::client::Buckets;
use super::fault::{Fault, FaultKind, Service};
use super::region::is_region;
use aws_sdk_s3::types::EncodingType;

/// What is listed.
#[derive(Debug, Clone, Copy)]
pub struct Range<'a> {
    pub bucket: &'a str,
    pub prefix: &'a str,
    /// Keys up to and including this one are left out.
    pub after: Option<&'a str>,
    /// Only what stands before the next slash, as folders.
    pub folders: bool,
}

/// At most 1000 keys or folders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    pub keys: Vec<String>,
    /// With the slash at their end.
    pub folders: Vec<String>,
    /// Asks for the next page; none after the last.
    pub next: Option<String>,
}

impl Buckets {
    /// One page; `token` is [`Page::next`] of the one before.
    ///
    /// # Errors
    /// The judged fault, after the SDK's retries and after one redirect to the bucket's own region.
    pub async fn list(&self, range: Range<'_>, token: Option<String>) -> Result<Page, Fault> {
        let region = self.region_of(range.bucket, None);
        let fault = match self.list_in(&region, range, token.clone()).await {
            Err(fault) if fault.kind == FaultKind::Moved => fault,
            ended => return ended,
        };
        let found = match fault.region().filter(|region| is_region(region)) {
            Some(found) => Some(found.to_owned()),
            None => self.locate(&region, range.bucket).await,
        };
        match found.filter(|found| *found != region) {
            Some(found) => {
                self.remember(range.bucket, &found);
                self.list_in(&found, range, token).await
            }
            None => Err(fault),
        }
    }

    async fn list_in(&self, region: &str, range: Range<'_>, token: Option<String>) -> Result<Page, Fault> {
        let request = self
            .client(region)
            .list_objects_v2()
            .bucket(range.bucket)
            .prefix(range.prefix)
            .encoding_type(EncodingType::Url)
            .set_start_after(range.after.filter(|_| token.is_none()).map(str::to_owned))
            .set_delimiter(range.folders.then(|| "/".to_owned()))
            .set_continuation_token(token);
        let answer = request.send().await.map_err(|error| {
            let subject = format!("s3://{}/{}", range.bucket, range.prefix);
            Fault::of(Service::S3, "ListObjectsV2", subject, &error)
        })?;
        let encoded = answer.encoding_type() == Some(&EncodingType::Url);
        let read = |text: &str| if encoded { decoded(text) } else { text.to_owned() };
        let truncated = answer.is_truncated() == Some(true);
        Ok(Page {
            keys: answer.contents().iter().filter_map(|object| object.key()).map(read).collect(),
            folders: answer.common_prefixes().iter().filter_map(|folder| folder.prefix()).map(read).collect(),
            next: answer.next_continuation_token().filter(|_| truncated).map(str::to_owned),
        })
    }
}

/// Form encoding undone: `%2F`, and `+` for a space. What is no encoding stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (first, byte.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (other, _) => {
                bytes.push(*other);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn keys_are_decoded() {
        assert_eq!(decoded("a%2Fb+c%C3%A9%zz%"), "a/b cé%zz%");
        assert_eq!(decoded("%01%+1"), "\u{1}% 1");
    }
}
