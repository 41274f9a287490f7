//! Who takes part: the cluster's admin, and tenants, each with a certificate of their own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postern_e2e::ClusterHandle;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::json;

use crate::tell;

/// Somebody who gives commands to the cluster.
pub struct Person<'a> {
    cluster: &'a ClusterHandle,
    name: &'static str,
    /// None for the admin's.
    kubeconfig: Option<String>,
}

impl<'a> Person<'a> {
    pub fn admin(cluster: &'a ClusterHandle) -> Self {
        Self { cluster, name: "admin", kubeconfig: None }
    }

    /// A user whom the admin gives a certificate, by a certificate signing request; it gives no rights.
    pub fn new(cluster: &'a ClusterHandle, name: &'static str, namespace: &str) -> Result<Self, String> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let request = params.serialize_request(&key).unwrap().pem().unwrap();
        let request = json!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
            "spec": {
                "request": STANDARD.encode(request),
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": ["client auth"],
            },
        });
        cluster.run(&["kubectl", "create", "-f-"], &request.to_string())?;
        cluster.run(&["kubectl", "certificate", "approve", name], "")?;
        let csr = format!("csr/{name}");
        cluster.run(&["kubectl", "wait", &csr, "--for=jsonpath={.status.certificate}", "--timeout=60s"], "")?;
        let certificate = cluster.run(&["kubectl", "get", &csr, "-o", "jsonpath={.status.certificate}"], "")?;

        let credentials = json!({
            "client-certificate-data": certificate,
            "client-key-data": STANDARD.encode(key.serialize_pem()),
        });
        let path = cluster.write_kubeconfig(name, credentials, namespace);
        Ok(Self { cluster, name, kubeconfig: Some(format!("--kubeconfig={}", path.display())) })
    }

    /// Gives a command that must succeed, and returns what it printed.
    pub fn does(&self, command: &str) -> Result<String, String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        self.does_words(command, &words)
    }

    /// As [`Self::does`], where the words are not those that are shown: a secret is among them, or a space in one.
    pub fn does_words(&self, shown: &str, words: &[&str]) -> Result<String, String> {
        tell::command(self.name, shown);
        let printed = self.quietly(words)?;
        tell::answer(&printed);
        Ok(printed)
    }

    /// Shows the conditions of a schedule that a `JSONPath` selects.
    pub fn conditions_of(&self, schedule: &str, selected: &str) -> Result<String, String> {
        let line = r#"{.type}={.status} {.reason}: {.message}{"\n"}"#;
        let path = format!("jsonpath={{range .status.conditions{selected}}}{line}{{end}}");
        let shown = format!("kubectl get whs {schedule} -o '{path}'");
        self.does_words(&shown, &["kubectl", "get", "whs", schedule, "-o", &path])
    }

    /// Gives a command that must be refused.
    pub fn is_refused(&self, command: &str) -> Result<(), String> {
        tell::command(self.name, command);
        match self.quietly(&command.split_whitespace().collect::<Vec<_>>()) {
            Ok(printed) => Err(format!("{} was not refused: {printed}", self.name)),
            Err(refusal) if refusal.contains("(Forbidden)") => {
                tell::answer(&refusal);
                Ok(())
            }
            Err(other) => Err(other),
        }
    }

    /// Gives a command without showing it.
    pub fn quietly(&self, words: &[&str]) -> Result<String, String> {
        let (program, arguments) = words.split_first().unwrap();
        let mut command = vec![*program];
        command.extend(self.kubeconfig.as_deref());
        command.extend(arguments);
        self.cluster.run(&command, "")
    }
}
