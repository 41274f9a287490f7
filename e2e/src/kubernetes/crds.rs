//! Postern's CRDs on a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionSpec,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use postern::api::Crd;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::Cluster;
use crate::eventually;

const JSON: &str = "application/json";
/// The content type with which kubectl asks which kinds exist.
const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Installs the CRDs on a cluster, once for all tests that use it.
pub async fn install_crds(cluster: &Cluster) {
    static INSTALLED: Mutex<BTreeMap<PathBuf, Arc<OnceCell<()>>>> = Mutex::new(BTreeMap::new());
    let installed = Arc::clone(INSTALLED.lock().unwrap().entry(cluster.dir.clone()).or_default());
    let install = async || {
        for crd in Crd::ALL {
            apply_crd(cluster, &crd.definition()).await;
        }
    };
    installed.get_or_init(install).await;
}

/// Installs one CRD, or replaces it, and waits until its objects can be made and its documentation is that of this definition.
pub async fn apply_crd(cluster: &Cluster, definition: &CustomResourceDefinition) {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let name = definition.name_any();
    api.patch(&name, &PatchParams::apply("postern-e2e").force(), &Patch::Apply(definition)).await.unwrap();
    let served = async || is_served(&cluster.client, definition).await;
    eventually(&format!("{name} to be served as it is"), served).await;
}

/// Whether the API server serves a CRD completely. An established CRD may not be served yet: the request handler, discovery and
/// the API's document get to know it one after the other.
async fn is_served(client: &Client, definition: &CustomResourceDefinition) -> Result<(), String> {
    let CustomResourceDefinitionSpec { group, names, versions, .. } = &definition.spec;
    let discovered = get(client, "/apis", DISCOVERY).await?;
    let own = list(&discovered["items"]).iter().filter(|item| item["metadata"]["name"] == **group);
    let mut resources = own.flat_map(|group| list(&group["versions"])).flat_map(|version| list(&version["resources"]));
    if !resources.any(|resource| resource["resource"] == *names.plural) {
        return Err("it isn't discovered".into());
    }
    for version in versions {
        let path = format!("{group}/{}", version.name);
        get(client, &format!("/apis/{path}/{}?limit=1", names.plural), JSON).await?;
        let document = get(client, &format!("/openapi/v3/apis/{path}"), JSON).await?;
        let kind = json!({"group": group, "version": version.name, "kind": names.kind});
        let mut schemas = document["components"]["schemas"].as_object().into_iter().flatten();
        let is_own = |schema: &Value| list(&schema["x-kubernetes-group-version-kind"]).contains(&kind);
        let (_, documented) = schemas.find(|(_, schema)| is_own(schema)).ok_or("it isn't documented")?;
        let defined = json!(version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()));
        if fields_of_spec(documented) != fields_of_spec(&defined) {
            return Err("an earlier one is documented".into());
        }
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn fields_of_spec(schema: &Value) -> BTreeSet<&String> {
    schema["properties"]["spec"]["properties"].as_object().into_iter().flatten().map(|(name, _)| name).collect()
}

async fn get(client: &Client, path: &str, accepts: &str) -> Result<Value, String> {
    let request = hyper::Request::get(path).header("accept", accepts).body(Vec::new()).unwrap();
    client.request(request).await.map_err(|e| format!("{path}: {e}"))
}
