use std::path::Path;

use super::*;

/// Calls `look` with the path and schema of every field.
fn walk(path: &str, schema: &JSONSchemaProps, look: &mut impl FnMut(&str, &JSONSchemaProps)) {
    look(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        walk(&format!("{path}.{name}"), property, look);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        walk(&format!("{path}[]"), items, look);
    }
}

fn every_field(mut look: impl FnMut(&str, &JSONSchemaProps)) {
    for crd in Crd::ALL {
        let definition = crd.definition();
        let schema = definition.spec.versions[0].schema.clone().unwrap();
        let mut seen = 0;
        walk(crd.plural(), &schema.open_api_v3_schema.unwrap(), &mut |path, schema| {
            seen += 1;
            look(path, schema);
        });
        assert!(seen > 20, "{crd:?} has {seen} fields");
    }
}

#[test]
fn the_files_are_what_the_code_says() {
    for folder in ["crds", "charts/postern/crds", "config/crd"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for crd in Crd::ALL {
            let path = folder.join(format!("{}.yaml", crd.plural()));
            let file = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(file == crd.yaml().unwrap(), "{} differs from src/api: run `make crds`", path.display());
        }
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.filter(|name| name != "kustomization.yaml").count(), Crd::ALL.len());
    }
}

#[test]
fn every_field_is_described_and_bounded() {
    every_field(|path, schema| {
        let is_item = path.ends_with("[]");
        let is_meta = [".apiVersion", ".kind", ".metadata"]
            .iter()
            .any(|field| path.matches('.').count() == 1 && path.ends_with(field));
        if is_meta {
            return;
        }
        assert!(is_item || schema.description.is_some(), "{path} has no description");
        assert_eq!(schema.nullable, None, "{path}");
        match schema.type_.as_deref() {
            Some("string") => {
                let closed = schema.enum_.is_some() || schema.format.as_deref() == Some("date-time");
                assert!(closed || schema.max_length.is_some(), "{path} has no maxLength");
            }
            Some("array") => {
                assert!(schema.max_items.is_some(), "{path} has no maxItems");
                assert!(schema.x_kubernetes_list_type.is_some(), "{path} has no list type");
            }
            Some("integer") => {
                assert!(schema.minimum.is_some(), "{path} has no minimum");
                assert!(path.contains(".status") || schema.maximum.is_some(), "{path} has no maximum");
                assert!(matches!(schema.format.as_deref(), Some("int32" | "int64")), "{path}");
            }
            Some("object") => {
                assert!(schema.properties.is_some(), "{path} has no properties");
                assert!(schema.additional_properties.is_none(), "{path} is a map");
            }
            Some("boolean") => {}
            other => panic!("{path} is of type {other:?}"),
        }
        // Kubernetes has no tagged unions: a rule with a message says that a field is one of several.
        assert!(schema.one_of.is_none() && schema.any_of.is_none(), "{path}");
    });
}

#[test]
fn every_default_that_a_description_names_is_the_default_and_the_other_way_round() {
    every_field(|path, schema| {
        let described =
            schema.description.as_deref().and_then(|text| Some(text.rsplit_once("Default: ")?.1.trim_end_matches('.')));
        let default = schema.default.as_ref().map(|default| match &default.0 {
            serde_json::Value::String(text) if text.is_empty() => "nothing".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        match (described, default) {
            (Some(described), Some(default)) => assert_eq!(described, default, "{path}"),
            (Some("no body") | None, None) => {}
            // The documentation of the fields inside says it.
            (None, Some(default)) if default.starts_with('{') || path.contains(".status") => {}
            (described, default) => panic!("{path}: described {described:?}, is {default:?}"),
        }
    });
}

#[test]
fn every_rule_has_a_message_that_a_user_can_act_on() {
    every_field(|path, schema| {
        for rule in schema.x_kubernetes_validations.iter().flatten() {
            let message = rule.message.as_deref().unwrap_or_default();
            assert!(message.len() > 10 && !message.contains('\n'), "{path}: {message:?}");
        }
    });
}
