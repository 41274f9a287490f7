//! The upgrade that docs/install.md describes, on a cluster that has an older release.

use std::fs;
use std::path::Path;
use std::process::Command;

use postern_e2e::{Cluster, DedicatedCluster, repository};
use serde_json::{Value, json};

const CRDS: [&str; 2] = ["webhookschedules", "webhooktiers"];

#[test]
fn an_upgrade_as_documented_works_from_any_earlier_state() {
    DedicatedCluster::control_plane("upgrade").run(|cluster, _| async move {
        let [crds, chart] = documented();
        let older = tempfile::tempdir().unwrap();
        older_chart(older.path());
        let older = older.path().to_str().unwrap();

        // As Helm made them, which then leaves them alone; as kubectl made them, in each of its ways; as another tool made them.
        let apply = format!("kubectl apply --filename {older}/crds");
        for before in [
            format!("helm install postern {older} --namespace postern-system --create-namespace"),
            format!("{apply} --server-side --force-conflicts"),
            format!("{apply} --server-side --force-conflicts --field-manager argocd-controller"),
            format!("kubectl replace --filename {older}/crds"),
            apply.clone(),
        ] {
            cluster.must_run(&before);
            assert_eq!(fields(&cluster).await, [[false, true]; 2], "{before}");
            cluster.must_run(&crds);
            assert_eq!(fields(&cluster).await, [[true, false]; 2], "{before}");
        }
        // Once more, with nothing to change.
        cluster.must_run(&crds);

        // The older release has none of the values that were added later, and a version like those that Flux makes.
        cluster.must_run(&chart.replace("--values values.yaml", "--reuse-values"));
        let deployment = cluster.get("/apis/apps/v1/namespaces/postern-system/deployments/postern-operator");
        let deployment = deployment.await.unwrap();
        assert_eq!(deployment["metadata"]["labels"]["helm.sh/chart"], "postern-0.1.0");
        assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/postern:0.1.0");
    });
}

/// The two commands of a documented upgrade.
fn documented() -> [String; 2] {
    let page = fs::read_to_string(repository().join("docs/install.md")).unwrap();
    let (_, upgrade) = page.split_once("an upgrade has two steps").unwrap();
    let block = upgrade.split("```").nth(1).unwrap();
    let commands: Vec<String> = block.lines().skip(1).map(str::to_owned).collect();
    commands.try_into().unwrap()
}

/// The chart as it might have been in an older release: with a longer version, few values, and CRDs that lack a field and have
/// another.
fn older_chart(folder: &Path) {
    let mut copy = Command::new("cp");
    copy.args(["-r", "charts/postern/.", folder.to_str().unwrap()]).current_dir(repository());
    assert!(copy.status().unwrap().success());
    let change = |file: &str, change: &dyn Fn(&str) -> String| {
        let file = folder.join(file);
        let text = fs::read_to_string(&file).unwrap();
        let changed = change(&text);
        assert_ne!(text, changed, "{}", file.display());
        fs::write(file, changed).unwrap();
    };
    let commit = "0123456789abcdef".repeat(4);
    change("Chart.yaml", &|text| text.replace("\nversion: 0.1.0", &format!("\nversion: 0.1.0-rc.1+{commit}")));
    change("values.yaml", &|_| "image: {repository: registry.example/postern}\n".into());
    for crd in CRDS {
        change(&format!("crds/{crd}.yaml"), &|text| {
            let mut crd: Value = serde_saphyr::from_str(text).unwrap();
            let fields = properties(&mut crd);
            fields.remove(NEW[usize::from(fields.contains_key(NEW[1]))]).unwrap();
            fields.insert("dropped".into(), json!({"type": "string"}));
            crd.to_string()
        });
    }
}

/// A field of each kind that the older release lacks.
const NEW: [&str; 2] = ["timeZone", "maxAttempts"];

fn properties(crd: &mut Value) -> &mut serde_json::Map<String, Value> {
    let spec = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap();
    spec.as_object_mut().unwrap()
}

/// For each CRD: whether it has the new field, and whether it has the dropped one.
async fn fields(cluster: &Cluster) -> [[bool; 2]; 2] {
    let mut all = Vec::new();
    for (crd, new) in CRDS.iter().zip(NEW) {
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd}.postern.dev");
        let mut crd = cluster.get(&path).await.unwrap();
        all.push([new, "dropped"].map(|field| properties(&mut crd).contains_key(field)));
    }
    all.try_into().unwrap()
}
