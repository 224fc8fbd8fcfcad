//! The templates as files and as one JSON value, for those who install by hand or keep them under version control.
//!
//! They are the same bodies that [`install`](super::install) sends to a server that lacks no more than its product
//! always does.

use super::config::TemplateConfig;
use super::engine::Product;
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
pub fn export_template(product: Product, config: &TemplateConfig) -> Value {
    let templates = templates(product, config);
    let components: Map<String, Value> =
        templates.components().into_iter().map(|part| (part.name, part.body)).collect();
    let index = templates.index();
    json!({"component_templates": components, "index_templates": {index.name: index.body}})
}

/// The templates of one product as files: `PRODUCT/component-template.NAME.json`, `PRODUCT/index-template.NAME.json`.
pub fn files(product: Product, config: &TemplateConfig) -> Vec<File> {
    let templates = templates(product, config);
    let file = |kind: &str, name: &str, body: &Value| File {
        path: Path::new(product.slug()).join(format!("{kind}.{name}.json")),
        text: format!("{body:#}\n"),
    };
    let mut files: Vec<File> =
        templates.components().iter().map(|part| file("component-template", &part.name, &part.body)).collect();
    let index = templates.index();
    files.push(file("index-template", &index.name, &index.body));
    files
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

fn templates(product: Product, config: &TemplateConfig) -> Templates {
    let mut templates = Templates::new(config);
    for change in nearest::known(product) {
        change.apply(&mut templates);
    }
    templates.custom = templates.keys.contains_key(IGNORE_MISSING);
    templates
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
            let expected = files(product, &TemplateConfig::default());
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
        let text = export_template(Product::OpenSearch, &TemplateConfig::default()).to_string();
        for foreign in ["\"flattened\",", "depth_limit", "index.mode", "ignore_dynamic", "allow_auto_create", "@custom"]
        {
            assert!(!text.contains(foreign), "{foreign}");
        }
        assert!(text.contains("flat_object"));
    }

    #[test]
    fn elasticsearch_gets_everything() {
        let text = export_template(Product::Elasticsearch, &TemplateConfig::default()).to_string();
        for native in ["\"type\":\"flattened\"", "\"index.mode\":\"standard\"", "allow_auto_create", "@custom"] {
            assert!(text.contains(native), "{native}");
        }
        assert!(!text.contains("flat_object"));
    }
}
