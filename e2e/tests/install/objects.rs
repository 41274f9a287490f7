//! The objects that Helm and kustomize make, as values.

use std::collections::BTreeMap;
use std::process::Command;

use postern_e2e::{program, repository};
use serde_json::Value;

/// Objects by kind, namespace and name.
pub type Objects = BTreeMap<String, Value>;

/// The namespace that everything is installed in.
pub const NAMESPACE: &str = "postern-system";

/// What one of the clusters' programs prints, or else its error message.
pub fn run(name: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program(name))
        .args(args)
        .current_dir(repository())
        .output()
        .unwrap_or_else(|e| panic!("{name}: {e}; `make test-e2e` builds it"));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// What Helm prints for the chart with these arguments.
pub fn template(args: &[&str]) -> Result<String, String> {
    run("helm", &[&["template", "postern", "charts/postern", "--namespace", NAMESPACE], args].concat())
}

/// The chart's objects with these arguments.
pub fn chart(args: &[&str]) -> Objects {
    parse(&template(args).unwrap())
}

/// The objects of a folder below `config`.
pub fn kustomize(folder: &str) -> Objects {
    parse(&run("kubectl", &["kustomize", &format!("config/{folder}")]).unwrap())
}

/// A field of an object, by its pointer.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn parse(yaml: &str) -> Objects {
    let objects: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    let keyed = |object: Value| {
        let parts = ["/kind", "/metadata/namespace", "/metadata/name"].map(|pointer| text(&object, pointer));
        (parts.join(" "), object)
    };
    let count = objects.len();
    let objects: Objects = objects.into_iter().map(keyed).collect();
    assert_eq!(objects.len(), count, "each object once");
    objects
}
