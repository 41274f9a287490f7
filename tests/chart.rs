//! The chart's files fit together: its version, its values and their schema. `e2e/tests/install`, which needs Helm, tests what
//! Helm makes of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

use std::collections::BTreeSet;
use std::path::Path;

use postern::api::Crd;
use serde_json::Value;

fn chart(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/postern").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    // JSON is also YAML.
    serde_saphyr::from_str(&text).unwrap_or_else(|problem| panic!("{file}: {problem}"))
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A subschema, with its reference resolved.
fn resolve<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    let Some(reference) = part.get("$ref") else { return part };
    schema.pointer(reference.as_str().unwrap().strip_prefix('#').unwrap()).unwrap()
}

/// Calls `look` with the path of every object that is both in the schema and in the values.
fn walk<'a>(
    schema: &'a Value,
    part: &'a Value,
    values: &'a Value,
    path: &str,
    look: &mut impl FnMut(&str, &'a Value, &'a Value),
) {
    let part = resolve(schema, part);
    let Some(properties) = part.get("properties") else { return };
    look(path, part, values);
    for (name, property) in properties.as_object().unwrap() {
        if let Some(value) = values.get(name) {
            walk(schema, property, value, &format!("{path}/{name}"), look);
        }
    }
}

#[test]
fn the_chart_installs_the_version_that_it_comes_with() {
    let chart = chart("Chart.yaml");
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_value_is_in_the_schema_and_everything_in_the_schema_is_a_value() {
    let (schema, values) = (chart("values.schema.json"), chart("values.yaml"));
    let mut objects = 0;
    walk(&schema, &schema, &values, "", &mut |path, part, values| {
        objects += 1;
        assert_eq!(part["additionalProperties"], false, "{path}");
        // Helm adds some values; for tiers, values.yaml has only what the chart sets.
        let optional = path.starts_with("/tiers/") || path.ends_with("resources");
        let mut properties = keys(&part["properties"]);
        properties.remove("global");
        if optional {
            assert!(keys(values).is_subset(&properties), "{path}");
        } else {
            assert_eq!(keys(values), properties, "{path}");
        }
    });
    assert!(objects > 10, "{objects} objects were looked at");
}

fn assert_described(path: &str, part: &Value) {
    let Value::Object(fields) = part else { return };
    for (name, field) in fields {
        if name == "properties" {
            for (name, property) in field.as_object().unwrap() {
                let described = property["description"].as_str().is_some_and(|words| words.ends_with('.'));
                assert!(described, "{path}/{name} has no description");
            }
        }
        assert_described(&format!("{path}/{name}"), field);
    }
}

#[test]
fn every_value_is_described() {
    assert_described("", &chart("values.schema.json"));
}

#[test]
fn a_tier_of_the_chart_has_the_fields_of_a_webhook_tier() {
    let tier = serde_json::to_value(Crd::WebhookTiers.definition()).unwrap();
    let spec = &tier["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let schema = chart("values.schema.json");
    assert_eq!(keys(&schema["definitions"]["tier"]["properties"]), keys(&spec["properties"]));
    let as_set = |list: &Value| list.as_array().unwrap().iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(as_set(&schema["definitions"]["tier"]["required"]), as_set(&spec["required"]));
}

/// The values' paths. An object of the chart's own counts as its fields; a value that is passed on unchanged counts as one.
fn paths(schema: &Value, part: &Value, path: &str, found: &mut Vec<String>) {
    let part = resolve(schema, part);
    match part.get("properties").and_then(Value::as_object) {
        Some(properties) if !path.starts_with("tiers.") && !path.ends_with("resources") => {
            for (name, property) in properties.iter().filter(|(name, _)| *name != "global") {
                paths(schema, property, format!("{path}.{name}").trim_start_matches('.'), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn every_value_is_in_the_table_of_the_documentation() {
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/install.md")).unwrap();
    let schema = chart("values.schema.json");
    let mut found = Vec::new();
    paths(&schema, &schema, "", &mut found);
    assert!(found.len() > 25, "{found:?}");
    for path in found {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", &path));
        // `sender.image.repository`, `.tag`, … share a row.
        let row = |line: &str| {
            line.contains(&format!("`{path}"))
                || line.contains(&format!("`{parent}.")) && line.contains(&format!("`.{name}`"))
        };
        assert!(docs.lines().any(|line| line.starts_with("| `") && row(line)), "{path} is not in docs/install.md");
    }
}
