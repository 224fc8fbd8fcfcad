//! The shape of the source: who may import whom (the table of ARCHITECTURE.md), and whose licences come in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folder (or file) of `src`, and what of `crate::` it may use outside its tests.
const MAY_USE: &[(&str, &[&str])] = &[
    ("ack", &[]),
    ("check", &[]),
    ("record", &[]),
    ("ecs", &["record"]),
    ("filter", &["record", "ecs", "config"]),
    ("geoip", &["ecs"]),
    ("config", &[]),
    ("state", &[]),
    ("visible", &[]),
    ("telemetry", &["visible"]),
    ("status", &["ack", "visible"]),
    ("aws", &["config", "check", "visible"]),
    ("output", &["ack", "config", "check", "state", "status", "telemetry", "visible"]),
    ("pipeline", &["ack", "record", "ecs", "filter", "output"]),
    (
        "inputs",
        &[
            "ack",
            "record",
            "aws",
            "state",
            "status",
            "telemetry",
            "config",
            "check",
            "pipeline",
            "output",
            "ecs",
            "filter",
            "visible",
            "integrity",
        ],
    ),
    ("setup", &["config", "check", "ecs", "output"]),
    ("kibana", &["config", "ecs", "output", "setup"]),
    ("verify", &["record", "aws", "state", "visible"]),
    ("integrity", &["ack", "record", "aws", "config", "state", "status", "verify", "output"]),
    (
        "app",
        &[
            "ack",
            "record",
            "ecs",
            "filter",
            "geoip",
            "config",
            "state",
            "telemetry",
            "status",
            "check",
            "aws",
            "output",
            "pipeline",
            "inputs",
            "setup",
            "kibana",
            "integrity",
        ],
    ),
    (
        "cli",
        &[
            "ack",
            "record",
            "ecs",
            "filter",
            "geoip",
            "config",
            "state",
            "telemetry",
            "status",
            "check",
            "aws",
            "output",
            "pipeline",
            "inputs",
            "setup",
            "kibana",
            "app",
            "verify",
            "visible",
            "integrity",
        ],
    ),
];

/// Parts of another folder that are all one may use of it.
const ONLY: &[(&str, &str, &[&str])] = &[
    ("inputs", "output", &["Source", "parking"]),
    ("inputs", "ecs", &["Origin"]),
    ("inputs", "filter", &["Own"]),
    ("inputs", "integrity", &["note"]),
    ("setup", "output", &["elasticsearch"]),
    ("kibana", "output", &["elasticsearch"]),
];

/// Licences whose terms a program under Apache-2.0 meets by naming them.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
    "Unlicense",
    "BSL-1.0",
    "MIT-0",
    "CC0-1.0",
];

#[test]
fn imports_keep_to_the_table() {
    let source = root().join("src");
    let mut breaches = Vec::new();
    for file in rust_files(&source) {
        let place = file.strip_prefix(&source).unwrap();
        let top = place.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if matches!(top, "lib" | "main") || place.to_str().unwrap().contains("test") {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == top) else {
            breaches.push(format!("{}: `{top}` is not in the table", place.display()));
            continue;
        };
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (at, _) in code.match_indices("crate::") {
            if at > 0 && code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let path: Vec<&str> = code[at + 7..]
                .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                .next()
                .unwrap()
                .split("::")
                .collect();
            let (used, item) = (path[0], path.get(1).copied().unwrap_or_default());
            if used != top && !allowed.contains(&used) {
                breaches.push(format!("{}: uses `{used}`", place.display()));
            }
            if let Some((_, _, items)) = ONLY.iter().find(|(from, to, _)| *from == top && *to == used)
                && !item.is_empty()
                && !items.contains(&item)
            {
                breaches.push(format!("{}: uses `{used}::{item}`", place.display()));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn the_table_is_the_one_of_architecture_md() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let section = text.split("## Who may import whom").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: BTreeSet<&str> =
        section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let known: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    assert_eq!(documented, known);
}

#[test]
fn the_files_that_architecture_md_names_exist() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let missing: Vec<&str> = text
        .split('`')
        .filter(|name| name.ends_with(".rs") || name.ends_with(".tsv"))
        .filter(|name| !root().join("src").join(name).exists() && !root().join(name).exists())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn licences_are_known() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut unknown = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or("none").replace('/', " OR ");
        // Every part joined by AND must offer one that we know.
        let fine = licence
            .split(" AND ")
            .all(|part| part.split(" OR ").any(|name| LICENCES.contains(&name.trim().trim_matches(['(', ')']))));
        if !fine {
            unknown.push(format!("{}: {licence}", package["name"]));
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
