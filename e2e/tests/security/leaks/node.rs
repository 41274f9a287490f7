//! Everything that somebody sees who is root on the node.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use postern_e2e::Cluster;

use super::haystack::{Haystack, Place};

/// The folder where the container runtime keeps its containers, which it calls tasks.
const TASKS: &str = "run/containerd/io.containerd.runtime.v2.task/k8s.io";

/// The node's files.
pub fn root(cluster: &Cluster) -> PathBuf {
    format!("/proc/{}/root", cluster.pid).into()
}

/// Looks at what the node keeps of a pod: its containers' termination messages. The pod's mounted Secrets are beside them and are
/// left out.
pub fn look_at_pod(root: &Path, uid: &str, seen: &mut Haystack) {
    look_at_files(&root.join("var/lib/kubelet/pods").join(uid).join("containers"), Place::TerminationMessages, seen);
}

/// Looks at the logs and termination messages of all pods that the node still has, and at the logs of the node's own components.
pub fn look_around(cluster: &Cluster, seen: &mut Haystack) {
    let root = root(cluster);
    for pod in fs::read_dir(root.join("var/lib/kubelet/pods")).unwrap() {
        look_at_pod(&root, pod.unwrap().file_name().to_str().unwrap(), seen);
    }
    look_at_files(&root.join("var/log/pods"), Place::PodLogs, seen);
    // The folders beside these files are the pods' own.
    let logs = fs::read_dir(cluster.dir.join("log")).unwrap().map(|log| log.unwrap().path());
    for log in logs.filter(|log| log.is_file()) {
        let place = if log.ends_with("audit.log") { Place::AuditLog } else { Place::ComponentLogs };
        look_at_files(&log, place, seen);
    }
}

/// Looks at one file, or at all files in a folder and its subfolders. Files that are deleted meanwhile are skipped.
fn look_at_files(path: &Path, place: Place, seen: &mut Haystack) {
    if let Ok(folder) = fs::read_dir(path) {
        folder.flatten().for_each(|entry| look_at_files(&entry.path(), place, seen));
    } else if let Ok(content) = fs::read(path) {
        seen.add(place, path.display().to_string(), content);
    }
}

/// Looks at the arguments and environments of all processes, and at what the container runtime was told about its containers.
pub fn look_at_processes(root: &Path, seen: &mut Haystack) {
    let numbers = fs::read_dir(root.join("proc")).unwrap().flatten().map(|entry| entry.path());
    for process in numbers.filter(|path| path.join("cmdline").exists()) {
        // The process may end at any time.
        let read = |file: &str| fs::read(process.join(file)).unwrap_or_default();
        let [name, arguments, environment] = ["comm", "cmdline", "environ"].map(read);
        let name = String::from_utf8_lossy(&name).trim_end().to_owned();
        seen.add(Place::Processes, name, [arguments, b"\n".into(), environment].concat());
    }
    for task in fs::read_dir(root.join(TASKS)).into_iter().flatten().flatten() {
        look_at_files(&task.path().join("config.json"), Place::Containers, seen);
    }
}

/// Which of Postern's programs were among the processes. A sender that only checks counts as a program of its own.
pub fn programs(seen: &Haystack) -> BTreeSet<&'static str> {
    let program = |(_, content): (&str, String)| {
        let arguments = content.lines().next().unwrap_or_default().to_owned();
        let words: Vec<&str> = arguments.split('\0').collect();
        match words[..] {
            ["/postern-sender", "--check", ..] => Some("check"),
            ["/postern-sender", ..] => Some("sender"),
            ["/postern", "operator", ..] => Some("operator"),
            _ => None,
        }
    };
    seen.at(Place::Processes).filter_map(program).collect()
}
