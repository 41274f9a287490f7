//! The documentation is consistent: its links lead somewhere, its code is the code that is tested, and the tests that it names
//! exist.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// The files below these folders of the repository that have this extension.
fn files<const N: usize>(folders: [&str; N], extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let hidden = entry.file_name().unwrap().as_encoded_bytes().starts_with(b".");
            if entry.is_dir() && !hidden {
                folders.push(entry);
            } else if entry.extension().is_some_and(|of_file| of_file == extension) {
                found.push(entry);
            }
        }
    }
    found
}

fn pages() -> Vec<PathBuf> {
    let top = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let top = top.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    top.chain(files(["docs", "e2e", "config"], "md")).collect()
}

/// The text between each `](` and the next `)`.
fn links(page: &str) -> impl Iterator<Item = &str> {
    page.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The anchors of a page's headings, as code hosts generate them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
        kept.map(|char| if char == ' ' { '-' } else { char }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text).filter(|link| !link.contains("://")) {
            seen += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            let found = anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor);
            assert!(found, "{}: no heading for {link}", page.display());
        }
    }
    assert!(seen > 30, "{seen} links");
}

#[test]
fn receivers_are_shown_as_they_are_tested() {
    let page = fs::read_to_string(root().join("docs/receivers.md")).unwrap();
    for (language, file) in [
        ("rust", "rust/src/main.rs"),
        ("python", "python/receiver.py"),
        ("go", "go/main.go"),
        ("typescript", "typescript/receiver.ts"),
    ] {
        let code = fs::read_to_string(root().join("docs/receivers").join(file)).unwrap();
        assert!(page.contains(&format!("```{language}\n{code}```\n")), "docs/receivers.md shows another {file}");
    }
}

#[test]
fn every_metric_is_in_the_table_of_the_documentation() {
    let code = fs::read_to_string(root().join("src/operator/metrics/mod.rs")).unwrap();
    let table = fs::read_to_string(root().join("docs/operator.md")).unwrap();
    let names: Vec<&str> =
        code.split("registry.register(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        // The name may be followed by `_total` or `_info`.
        assert!(table.contains(&format!("\n| `postern_{name}")), "{name} is not in docs/operator.md");
    }
}

/// Whether a name is a test's: words joined by underscores, many more than any other name in backticks has, except for metrics.
fn is_test(name: &str) -> bool {
    name.split('_').count() > 4
        && !name.starts_with("postern_")
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
}

#[test]
fn every_test_that_a_page_names_exists() {
    let sources: Vec<String> =
        files(["src", "tests", "e2e/tests"], "rs").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut seen = 0;
    for page in pages() {
        let words = fs::read_to_string(&page).unwrap();
        for name in words.split('`').filter(|name| is_test(name)) {
            seen += 1;
            let function = format!("fn {name}(");
            assert!(sources.iter().any(|source| source.contains(&function)), "{}: {name}", page.display());
        }
    }
    assert!(seen > 10, "{seen} tests are named");
}

#[test]
fn each_rule_that_senders_carry_into_tenants_namespaces_is_told_to_admins() {
    let page = fs::read_to_string(root().join("docs/tiers.md")).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("What tenants see of a tier\n")).unwrap();
    // Fields that are left out when they are empty must be there, too.
    let rules = postern::egress::Rules { load_balancers: vec!["203.0.113.1".parse().unwrap()], ..Default::default() };
    let rules = serde_json::to_value(rules).unwrap();
    let fields: Vec<&String> = rules.as_object().unwrap().keys().collect();
    assert!(fields.len() > 5, "{fields:?}");
    for field in fields {
        assert!(section.contains(&format!("`{field}`")), "docs/tiers.md doesn't say that tenants can read {field}");
    }
    assert!(page.contains("put nothing secret into a tier"));
}
