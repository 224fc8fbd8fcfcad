//! Where a record was found: what the inputs add to documents (ECS mapping 1).

use super::doc::Doc;
use super::field::FieldId;
use super::settings::{InputTags, find, json_string};
use super::table as f;
use super::time::Timestamp;

/// What is the same for all records of one object, file or log group. What is not known is left out of documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `aws-s3`, `aws-cloudwatch` or `file`.
    pub input_type: &'static str,
    pub bucket_name: Option<String>,
    pub bucket_arn: Option<String>,
    /// The object's key, decoded.
    pub object_key: Option<String>,
    /// Address of the object, or path of the file.
    pub log_file_path: Option<String>,
    /// Region of the bucket or log group: the region of records that name none.
    pub region: Option<String>,
    pub log_group: Option<String>,
    pub log_stream: Option<String>,
}

impl Origin {
    /// What tells this origin from all others, as parts of a text; empty for one of which nothing is known.
    pub(super) fn identity(&self) -> [&str; 2] {
        match self {
            Origin { object_key: Some(key), bucket_arn: Some(bucket), .. }
            | Origin { object_key: Some(key), bucket_name: Some(bucket), .. } => [bucket, key],
            Origin { log_group: Some(group), log_stream, .. } => [group, log_stream.as_deref().unwrap_or_default()],
            Origin { log_file_path: Some(path), .. } => [path, ""],
            _ => ["", ""],
        }
    }
}

/// Where one record was found.
#[derive(Debug, Clone, Copy)]
pub struct Position<'a> {
    pub origin: &'a Origin,
    /// First byte of the record in the object's inflated text.
    pub offset: u64,
    /// Log group of the record, where the origin does not tell.
    pub log_group: Option<&'a str>,
    /// Log stream of the record, where records of several come together.
    pub log_stream: Option<&'a str>,
    /// When CloudWatch Logs received the record.
    pub ingestion_time: Option<Timestamp>,
    /// CloudWatch Logs' own identifier of the log event.
    pub log_event_id: Option<&'a str>,
    /// Tags of the input, where it has some of its own.
    pub tags: Option<&'a InputTags>,
}

impl<'a> Position<'a> {
    /// A record `offset` bytes into its origin.
    pub fn new(origin: &'a Origin, offset: u64) -> Position<'a> {
        Position {
            origin,
            offset,
            log_group: None,
            log_stream: None,
            ingestion_time: None,
            log_event_id: None,
            tags: None,
        }
    }
}

/// The JSON texts of one origin's fields, kept while records of it come.
#[derive(Default)]
pub(super) struct Rendered {
    origin: Origin,
    texts: Vec<(FieldId, String)>,
}

impl Rendered {
    /// Makes the texts those of `origin`.
    pub(super) fn follow(&mut self, origin: &Origin) {
        if self.origin == *origin {
            return;
        }
        let known = |text: &Option<String>| text.clone().unwrap_or_default();
        self.texts = [
            (f::INPUT_TYPE, origin.input_type.to_string()),
            (f::S3_BUCKET_NAME, known(&origin.bucket_name)),
            (f::S3_BUCKET_ARN, known(&origin.bucket_arn)),
            (f::S3_OBJECT_KEY, known(&origin.object_key)),
            (f::LOG_FILE_PATH, known(&origin.log_file_path)),
            (f::CLOUD_REGION, known(&origin.region)),
            (f::CLOUDWATCH_LOG_GROUP, known(&origin.log_group)),
            (f::CLOUDWATCH_LOG_STREAM, known(&origin.log_stream)),
        ]
        .into_iter()
        // The first clean-up covers what the agent sends, too (ECS mapping 3).
        .filter(|(_, text)| !matches!(text.as_str(), "" | "-" | "none"))
        .map(|(field, text)| (field, json_string(&text)))
        .collect();
        self.origin = origin.clone();
    }

    /// The JSON text of a field; empty if there is none.
    pub(super) fn get(&self, field: FieldId) -> &str {
        find(&self.texts, field)
    }

    /// Puts what the input knows into the document; the mapping may overwrite it.
    pub(super) fn describe(&self, at: &Position<'_>, doc: &mut Doc) {
        for (field, _) in &self.texts {
            doc.of_origin(*field);
        }
        if at.origin.bucket_name.is_some() {
            doc.fixed(f::CLOUD_PROVIDER, "\"aws\"");
        }
        if at.origin.object_key.is_some() || at.origin.log_file_path.is_some() {
            doc.number(f::LOG_OFFSET, at.offset);
        }
        if let Some(group) = at.log_group {
            doc.text(f::CLOUDWATCH_LOG_GROUP, group);
        }
        if let Some(stream) = at.log_stream {
            doc.text(f::CLOUDWATCH_LOG_STREAM, stream);
            if let (None, Some(group)) = (&at.origin.log_file_path, &at.origin.log_group) {
                doc.text(f::LOG_FILE_PATH, &format!("{group}/{stream}"));
            }
        }
        if let Some(time) = at.ingestion_time {
            doc.time(f::CLOUDWATCH_INGESTION_TIME, time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> Origin {
        Origin {
            input_type: "aws-s3",
            bucket_name: Some("trail".to_string()),
            bucket_arn: Some("arn:aws:s3:::trail".to_string()),
            object_key: Some(key.to_string()),
            log_file_path: Some("-".to_string()),
            ..Origin::default()
        }
    }

    #[test]
    fn texts_follow_the_origin() {
        let mut rendered = Rendered::default();
        rendered.follow(&object("a \"b\".gz"));
        assert_eq!((rendered.get(f::INPUT_TYPE), rendered.get(f::S3_OBJECT_KEY)), ("\"aws-s3\"", r#""a \"b\".gz""#));
        assert_eq!((rendered.get(f::LOG_FILE_PATH), rendered.get(f::CLOUDWATCH_LOG_GROUP)), ("", ""));
        rendered.follow(&object("c"));
        assert_eq!(rendered.get(f::S3_OBJECT_KEY), "\"c\"");
        rendered.follow(&Origin::default());
        assert_eq!(rendered.get(f::INPUT_TYPE), "");
    }

    #[test]
    fn an_object_is_told_by_bucket_and_key_a_file_by_its_path() {
        assert_eq!(object("a").identity(), ["arn:aws:s3:::trail", "a"]);
        assert_eq!(Origin { log_file_path: Some("/a".to_string()), ..Origin::default() }.identity(), ["/a", ""]);
        let group = Origin { log_group: Some("g".to_string()), log_stream: Some("s".to_string()), ..Origin::default() };
        assert_eq!(group.identity(), ["g", "s"]);
        assert_eq!(Origin::default().identity(), ["", ""]);
    }
}
