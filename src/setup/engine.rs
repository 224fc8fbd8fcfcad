//! Which server is this: product and version, from its answer to `GET /`.
//!
//! Leaves out what a server can do: types and settings are asked for, not guessed from a version.

use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// The two families of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    Elasticsearch,
    OpenSearch,
}

impl Product {
    pub const ALL: [Product; 2] = [Product::Elasticsearch, Product::OpenSearch];

    /// Its name in folders and arguments.
    pub fn slug(self) -> &'static str {
        match self {
            Product::Elasticsearch => "elasticsearch",
            Product::OpenSearch => "opensearch",
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Product::Elasticsearch => "Elasticsearch",
            Product::OpenSearch => "OpenSearch",
        })
    }
}

/// A server that trailship works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Engine {
    pub product: Product,
    /// As the server writes it, such as `8.19.2`.
    pub version: String,
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.product, self.version)
    }
}

/// Why a server is not one to work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error("the answer to `GET /` is not that of a search server: check `hosts` and `path`")]
    Foreign,
    #[error("{product} {version} is not supported: {SUPPORTED}")]
    Unsupported { product: Product, version: String },
    #[error(
        "this OpenSearch answers as version {0} of another product: set `compatibility.override_main_response_version` to `false` on the cluster"
    )]
    Disguised(String),
}

const SUPPORTED: &str = "use Elasticsearch 8.8 to 9.x, or OpenSearch 2.x or 3.x";

impl Engine {
    /// Reads the answer to `GET /`.
    ///
    /// # Errors
    /// It is not that of Elasticsearch 8.8 to 9.x or OpenSearch 2.x or 3.x.
    pub fn read(answer: &Value) -> Result<Engine, EngineError> {
        let text = |pointer| answer.pointer(pointer).and_then(Value::as_str);
        let version = text("/version/number").ok_or(EngineError::Foreign)?.to_owned();
        let (major, minor) = numbers(&version).ok_or(EngineError::Foreign)?;
        let product = match (text("/version/distribution"), text("/tagline")) {
            (Some("opensearch"), _) => Product::OpenSearch,
            (_, Some("You Know, for Search")) => Product::Elasticsearch,
            _ => return Err(EngineError::Foreign),
        };
        let supported = match product {
            Product::Elasticsearch => (8, 8) <= (major, minor) && major <= 9,
            Product::OpenSearch => (2..=3).contains(&major),
        };
        match product {
            _ if supported => Ok(Engine { product, version }),
            Product::OpenSearch if major == 7 => Err(EngineError::Disguised(version)),
            _ => Err(EngineError::Unsupported { product, version }),
        }
    }
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn elasticsearch(number: &str) -> Value {
        json!({"version": {"number": number, "build_flavor": "default"}, "tagline": "You Know, for Search"})
    }

    fn opensearch(number: &str) -> Value {
        json!({"version": {"number": number, "distribution": "opensearch"},
            "tagline": "The OpenSearch Project: https://opensearch.org/"})
    }

    #[test]
    fn supported_versions() {
        for number in ["8.8.0", "8.19.21", "8.20.0-SNAPSHOT", "9.0.0", "9.5.3"] {
            let engine = Engine::read(&elasticsearch(number)).unwrap();
            assert_eq!(engine.to_string(), format!("Elasticsearch {number}"));
        }
        for number in ["2.0.0", "2.19.6", "3.8.0"] {
            let engine = Engine::read(&opensearch(number)).unwrap();
            assert_eq!(engine.to_string(), format!("OpenSearch {number}"));
        }
    }

    #[test]
    fn anything_else_is_a_clear_error() {
        for number in ["7.17.9", "8.7.1", "10.0.0"] {
            let fault = Engine::read(&elasticsearch(number)).unwrap_err().to_string();
            let expected = format!(
                "Elasticsearch {number} is not supported: use Elasticsearch 8.8 to 9.x, or OpenSearch 2.x or 3.x"
            );
            assert_eq!(fault, expected);
        }
        for number in ["1.3.0", "4.0.0"] {
            let fault = Engine::read(&opensearch(number)).unwrap_err();
            assert!(matches!(fault, EngineError::Unsupported { .. }), "{number}");
        }
        let disguised = Engine::read(&opensearch("7.10.2")).unwrap_err();
        assert_eq!(disguised, EngineError::Disguised("7.10.2".into()));
        for foreign in [
            json!({}),
            json!([]),
            json!("<html>"),
            json!({"version": "1.2"}),
            json!({"version": {"number": "1.2"}}),
            json!({"version": {"number": "nine"}, "tagline": "You Know, for Search"}),
        ] {
            assert_eq!(Engine::read(&foreign).unwrap_err(), EngineError::Foreign);
        }
    }
}
