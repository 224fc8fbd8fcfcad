//! docs/traps.md names a test for every trap, and every test that it names exists.

use std::path::Path;

/// Rows of the page: the trap, and the tests of its last column.
fn rows() -> Vec<(String, Vec<String>)> {
    let page = std::fs::read_to_string(root().join("docs/traps.md")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let cells = cells(line);
        let is_head = cells[0] == "trap" || cells[0].starts_with("---");
        if !is_head {
            assert_eq!(cells.len(), 4, "four columns: {line}");
            let tests = cells[3].split('`').skip(1).step_by(2).map(str::to_owned).collect();
            rows.push((cells[0].clone(), tests));
        }
    }
    rows
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the file of `path::name` holds the function, as a test: `traps/bulk::one` or `src/record/split.rs::one`.
fn fault(test: &str) -> Option<String> {
    let Some((place, name)) = test.rsplit_once("::") else { return Some(format!("`{test}` is no path and name")) };
    let path = if place.ends_with(".rs") { place.to_owned() } else { format!("tests/integration/{place}.rs") };
    let Ok(text) = std::fs::read_to_string(root().join(&path)) else {
        return Some(format!("there is no file `{path}`"));
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    let Some(at) = lines.iter().position(|line| line.trim_start_matches("async ").starts_with(&head)) else {
        return Some(format!("`{path}` has no test `{name}`"));
    };
    let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("///"));
    let attributes: Vec<&&str> = attributes.collect();
    let is_test = attributes.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
    let is_ignored = attributes.iter().any(|line| line.starts_with("#[ignore"));
    (!is_test || is_ignored).then(|| format!("`{name}` in `{path}` is no test that runs"))
}

#[test]
fn every_trap_has_a_test_that_exists() {
    let rows = rows();
    // As many as the survey of other shippers found; fewer were cut away.
    assert!(rows.len() >= ROWS, "{} rows", rows.len());
    let mut faults = Vec::new();
    for (trap, tests) in &rows {
        if tests.is_empty() {
            faults.push(format!("no test for: {trap}"));
        }
        faults.extend(tests.iter().filter_map(|test| fault(test)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Traps of the page.
const ROWS: usize = 69;

#[test]
fn a_test_that_does_not_exist_is_noticed() {
    assert_eq!(fault("traps/page::every_trap_has_a_test_that_exists"), None);
    for wrong in
        ["nothing", "traps/page::no_such_test", "no_such_file::a", "traps/page::rows", "src/record/split.rs::split"]
    {
        assert!(fault(wrong).is_some(), "{wrong}");
    }
}
