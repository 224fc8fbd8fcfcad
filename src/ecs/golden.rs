//! Whole records and their whole documents, in `tests/golden/mapping`: `NAME.record.json` and `NAME.document.json`.
//!
//! The documents were derived by hand from the ECS mapping. Their tags are the settings that they are made with. Left
//! out of them are the fields that are the same in every document.
#![allow(clippy::unwrap_used)]

use super::stage::tests::map;
use super::{ENTITIES_TAG, PRESERVE_TAG, Settings};
use serde_json::Value;
use std::path::Path;

#[test]
fn whole_documents() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mapping");
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(case) = name.strip_suffix(".record.json") else { continue };
        let record = std::fs::read(&path).unwrap();
        let expected: Value =
            serde_json::from_slice(&std::fs::read(path.with_file_name(format!("{case}.document.json"))).unwrap())
                .unwrap();
        let mut settings = Settings::default();
        let tags = expected["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        settings.preserve_original_event = tags.clone().any(|tag| tag == PRESERVE_TAG);
        settings.actor_target_mapping = tags.clone().any(|tag| tag == ENTITIES_TAG);
        let mut document = map(settings, &record);
        for same in ["created", "ingested", "module", "dataset"] {
            document["event"].as_object_mut().unwrap().remove(same);
        }
        document.as_object_mut().unwrap().remove("data_stream");
        assert_eq!(document, expected, "{case}:\n{document:#}");
        cases += 1;
    }
    assert!(cases > 0, "no cases found");
}
