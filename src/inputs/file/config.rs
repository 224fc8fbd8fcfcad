//! Keys of an input of type `file`.

use crate::config::types::{Pattern, Period};
use crate::inputs::on_fault::FileFaults;
use crate::inputs::order::Order;
use crate::inputs::selection::FileSelector;
use serde::{Deserialize, Serialize};

/// `type: file`: files and folders, as `aws s3 sync` leaves them.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileConfig {
    pub r#type: String,
    /// Names the input in state, metrics and messages; unique. Default: `file`.
    pub id: String,
    pub enabled: bool,
    /// Files, folders (read whole) and globs (`**` for any depth).
    pub paths: Vec<String>,
    /// Pause between two looks for new files; not used with `--once`.
    pub scan_frequency: Period,
    /// Which of the files that a look finds are read first: `any`, or `newest`.
    pub order: Order,
    /// Files read at a time.
    pub number_of_workers: usize,
    /// Paths of log files; blank skips them.
    pub cloudtrail_regex: Pattern,
    /// Paths of digest files; blank skips them.
    pub cloudtrail_digest_regex: Pattern,
    /// Paths of Insights files; blank skips them.
    pub cloudtrail_insight_regex: Pattern,
    /// When set, only paths that one of these matches are read.
    pub file_selectors: Vec<FileSelector>,
    /// Links below folders and among what globs match are followed, wherever they lead.
    pub symlinks: bool,
    /// What is done about what cannot be shipped, by cause.
    pub on_fault: FileFaults,
}

impl Default for FileConfig {
    fn default() -> FileConfig {
        FileConfig {
            r#type: "file".to_owned(),
            id: "file".to_owned(),
            enabled: true,
            paths: Vec::new(),
            scan_frequency: Period::from_secs(10),
            order: Order::Any,
            number_of_workers: 4,
            cloudtrail_regex: Pattern::containing("/CloudTrail/"),
            cloudtrail_digest_regex: Pattern::default(),
            cloudtrail_insight_regex: Pattern::containing("/CloudTrail-Insight/"),
            file_selectors: Vec::new(),
            symlinks: false,
            on_fault: FileFaults::default(),
        }
    }
}
