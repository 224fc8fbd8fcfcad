//! Files into Kibana, by its import APIs: a form with one file, which replaces what has the same ids.
//!
//! Leaves out what is in the files, and what an answer means (`answer.rs`).

use super::answer::{Imported, Key};
use super::http::{Answer, Call, Kibana};
use super::refusal::{About, KibanaError};
use crate::output::elasticsearch::{Content, HeaderValue};
use bytes::Bytes;

/// Begins the boundary between a form's parts.
const BOUNDARY: &str = "trailship-form";

impl Kibana {
    /// Imports saved objects, a JSON document a line; `keys` are those of the lines.
    ///
    /// # Errors
    /// No answer, a refusal of the whole file, or an answer that says nothing. What was refused of the file's objects is
    /// in the result.
    pub async fn import_objects(&self, file: &str, keys: &[Key]) -> Result<Imported, KibanaError> {
        let answer = self.import(About::Dashboards, "api/saved_objects/_import?overwrite=true", file).await?;
        Imported::of_objects(&answer.accepted()?, keys).ok_or_else(|| answer.foreign())
    }

    /// Imports detection rules, a JSON document a line; `keys` are those of the lines.
    ///
    /// # Errors
    /// As for saved objects.
    pub async fn import_rules(&self, file: &str, keys: &[Key]) -> Result<Imported, KibanaError> {
        let answer = self.import(About::Rules, "api/detection_engine/rules/_import?overwrite=true", file).await?;
        Imported::of_rules(&answer.accepted()?, keys).ok_or_else(|| answer.foreign())
    }

    async fn import(&self, about: About, path: &str, file: &str) -> Result<Answer, KibanaError> {
        let path = self.in_space(path);
        self.ask(Call::post(about, &path, form(file))).await
    }
}

/// The form with one part `file`; Kibana takes it for what its name ends in.
#[expect(clippy::expect_used, reason = "the boundary is made of letters, digits and dashes, which a header takes")]
pub(super) fn form(file: &str) -> Content {
    let mut boundary = BOUNDARY.to_owned();
    let mut number = 0_u64;
    // A boundary must not occur in what it bounds.
    while file.contains(&boundary) {
        number += 1;
        boundary = format!("{BOUNDARY}-{number}");
    }
    let body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"trailship.ndjson\"\r\n\
         Content-Type: application/ndjson\r\n\r\n{file}\r\n--{boundary}--\r\n"
    );
    let kind = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}")).expect("a header's text");
    Content::Form { bytes: Bytes::from(body), kind }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_does_not_occur_in_the_file() {
        let file = "a trailship-form and --trailship-form-1\r\n--trailship-form-2--";
        let Content::Form { bytes, kind } = form(file) else { panic!("it is a form") };
        let boundary = kind.to_str().unwrap().strip_prefix("multipart/form-data; boundary=").unwrap();
        assert!(!file.contains(boundary), "{boundary}");
        let text = std::str::from_utf8(&bytes).unwrap();
        let (head, rest) = text.strip_prefix(&format!("--{boundary}\r\n")).unwrap().split_once("\r\n\r\n").unwrap();
        assert!(head.contains("name=\"file\"; filename=\"trailship.ndjson\""), "{head}");
        assert_eq!(rest, format!("{file}\r\n--{boundary}--\r\n"));
    }
}
