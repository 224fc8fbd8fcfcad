//! Templates and policy as files and as JSON values, for those who install by hand or keep them under version control.
//!
//! They are the same bodies that [`install`](super::install) sends to a server that lacks no more than its product
//! always does.

use super::config::SetupConfig;
use super::datasets;
use super::engine::Product;
use super::lifecycle::{Lifecycle, PolicyError};
use super::nearest;
use super::template::{IGNORE_MISSING, Templates};
use serde_json::{Map, Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// A file of the export: its path below the chosen folder, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: PathBuf,
    pub text: String,
}

/// All templates of one product: `{"component_templates": {NAME: BODY}, "index_templates": {NAME: BODY}}`.
///
/// # Errors
/// The file of `setup.ilm.policy_file` is no policy.
pub fn export_template(product: Product, config: &SetupConfig) -> Result<Value, PolicyError> {
    let (mut components, mut indices) = (Map::new(), Map::new());
    for templates in templates(product, config)? {
        components.extend(templates.components().map(|part| (part.name, part.body)));
        let index = templates.index();
        indices.insert(index.name, index.body);
    }
    Ok(json!({"component_templates": components, "index_templates": indices}))
}

/// The lifecycle policy that one product gets, as its API takes it: of ILM, or of ISM. Null where the configuration wants
/// none.
///
/// # Errors
/// The file of `setup.ilm.policy_file` is no policy.
pub fn export_policy(product: Product, config: &SetupConfig) -> Result<Value, PolicyError> {
    let lifecycle = Lifecycle::usual(product, config)?;
    Ok(lifecycle.policy().map_or(Value::Null, |policy| policy.body(FIRST)))
}

/// Templates and policy of one product as files: `PRODUCT/component-template.NAME.json`,
/// `PRODUCT/index-template.NAME.json`, `PRODUCT/ilm-policy.NAME.json` or `PRODUCT/ism-policy.NAME.json`.
///
/// # Errors
/// The file of `setup.ilm.policy_file` is no policy.
pub fn files(product: Product, config: &SetupConfig) -> Result<Vec<File>, PolicyError> {
    let file = |kind: &str, name: &str, body: &Value| File {
        path: Path::new(product.slug()).join(format!("{kind}.{name}.json")),
        text: format!("{body:#}\n"),
    };
    let mut files = Vec::new();
    for templates in templates(product, config)? {
        files.extend(templates.components().iter().map(|part| file("component-template", &part.name, &part.body)));
        let index = templates.index();
        files.push(file("index-template", &index.name, &index.body));
    }
    let lifecycle = Lifecycle::usual(product, config)?;
    files.extend(lifecycle.policy().map(|policy| file(policy.slug(), &policy.name, &policy.body(FIRST))));
    Ok(files)
}

/// Writes files below a folder, which is made where it does not exist.
///
/// # Errors
/// A folder or file cannot be written.
pub fn write(folder: &Path, files: &[File]) -> io::Result<()> {
    for file in files {
        let path = folder.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, &file.text)?;
    }
    Ok(())
}

/// Revision of a policy that is not there yet.
const FIRST: u64 = 1;

fn templates(product: Product, config: &SetupConfig) -> Result<Vec<Templates>, PolicyError> {
    let lifecycle = Lifecycle::usual(product, config)?;
    let fitted = datasets::ALL.map(|data_set| {
        let mut templates = Templates::new(config, data_set, &lifecycle);
        for change in nearest::known(product) {
            change.apply(&mut templates);
        }
        templates.custom = templates.keys.contains_key(IGNORE_MISSING);
        templates
    });
    Ok(fitted.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/mappings"))
    }

    #[test]
    fn the_files_kept_with_the_sources_are_the_export() {
        for product in Product::ALL {
            let expected = files(product, &SetupConfig::default()).unwrap();
            for file in &expected {
                let kept = std::fs::read_to_string(root().join(&file.path)).unwrap_or_default();
                assert!(
                    kept == file.text,
                    "{} is out of date: run `trailship export template --dir mappings`",
                    file.path.display()
                );
            }
            let kept = std::fs::read_dir(root().join(product.slug())).unwrap().count();
            assert_eq!(kept, expected.len(), "a file too many in {}", product.slug());
        }
    }

    #[test]
    fn opensearch_gets_only_what_it_knows() {
        let text = export_template(Product::OpenSearch, &SetupConfig::default()).unwrap().to_string();
        for foreign in [
            "\"flattened\",",
            "depth_limit",
            "index.mode",
            "ignore_dynamic",
            "allow_auto_create",
            "@custom",
            "data_stream_options",
            "index.lifecycle",
        ] {
            assert!(!text.contains(foreign), "{foreign}");
        }
        assert!(text.contains("flat_object"));
    }

    #[test]
    fn elasticsearch_gets_everything() {
        let text = export_template(Product::Elasticsearch, &SetupConfig::default()).unwrap().to_string();
        for native in [
            "\"type\":\"flattened\"",
            "\"index.mode\":\"standard\"",
            "allow_auto_create",
            "@custom",
            "\"index.lifecycle.name\":\"trailship\"",
        ] {
            assert!(text.contains(native), "{native}");
        }
        assert!(!text.contains("flat_object"));
    }

    #[test]
    fn the_policy_is_that_of_the_product() {
        let policy = |product, config: Value| {
            let config: SetupConfig = serde_json::from_value(config).unwrap();
            export_policy(product, &config).unwrap()
        };
        assert!(policy(Product::Elasticsearch, json!({}))["policy"]["phases"].is_object());
        assert!(policy(Product::OpenSearch, json!({}))["policy"]["states"].is_array());
        assert_eq!(policy(Product::Elasticsearch, json!({"lifecycle": {"type": "dsl"}})), Value::Null);
    }
}
