//! A cluster starts, reports what breaks it, and ends without a trace, whatever happened to it.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use postern_e2e::DedicatedCluster;
use rustix::process::{Pid, Signal, kill_process};

/// The process of a component, as the machine numbers processes.
fn part(cluster: &DedicatedCluster, name: &str) -> Pid {
    let namespace = namespace_of(cluster.pid()).expect("it runs");
    let part = processes().into_iter().find(|&pid| {
        namespace_of(pid) == Some(namespace)
            && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| name.starts_with(comm.trim()))
    });
    Pid::from_raw(part.unwrap_or_else(|| panic!("no {name} runs"))).unwrap()
}

fn cgroups(cluster: &DedicatedCluster) -> Vec<PathBuf> {
    let prefix = format!("postern-e2e-{}-", cluster.name());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let roots = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).filter(|f| f[2].starts_with("cgroup"));
    roots
        .flat_map(|f| fs::read_dir(f[1]).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
        .collect()
}

/// The PID namespace that a process is in, as its inode.
fn namespace_of(pid: i32) -> Option<u64> {
    fs::metadata(format!("/proc/{pid}/ns/pid")).ok().map(|namespace| namespace.ino())
}

/// A cluster's current processes. They are held, so that they can be told from later processes with the same numbers.
struct Processes(Vec<File>);

impl Processes {
    fn of(cluster: &DedicatedCluster) -> Self {
        let namespace = namespace_of(cluster.pid()).expect("it runs");
        let members = processes().into_iter().filter(|&pid| namespace_of(pid) == Some(namespace));
        let held = Self(members.filter_map(|pid| File::open(format!("/proc/{pid}/stat")).ok()).collect());
        assert!(held.any_lives());
        held
    }

    /// Whether any of them still runs: the file of an ended process can't be read any more, or says that it is a zombie.
    fn any_lives(&self) -> bool {
        self.0.iter().any(|stat| {
            let mut start = [0; 64];
            stat.read_at(&mut start, 0).is_ok_and(|n| !String::from_utf8_lossy(&start[..n]).contains(") Z "))
        })
    }
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.unwrap().file_name().to_string_lossy().parse().ok()).collect()
}

fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
}

/// Waits for a condition. The limit only ends a test that hangs.
fn wait_until(what: &str, mut met: impl FnMut() -> bool) {
    let began = Instant::now();
    while !met() {
        assert!(began.elapsed() < Duration::from_mins(5), "waited five minutes until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn clusters_stay_when_healthy_start_anew_when_broken_and_leave_nothing() {
    let (one, other) = (DedicatedCluster::not_started("one"), DedicatedCluster::not_started("other"));
    one.start_control_plane();
    a_healthy_cluster_is_left_as_it_is(&one);
    clusters_run_side_by_side(&one, &other);
    a_broken_cluster_says_what_broke_it_and_starts_anew(&one);
    down_leaves_nothing_after_its_first_process_was_killed(&one);
}

fn a_healthy_cluster_is_left_as_it_is(one: &DedicatedCluster) {
    let first = one.pid();
    let again = one.start_control_plane();
    assert!(again.contains("is up already"), "{again}");
    assert_eq!(one.pid(), first);
}

fn clusters_run_side_by_side(one: &DedicatedCluster, other: &DedicatedCluster) {
    other.start_control_plane();
    other.down();
    a_healthy_cluster_is_left_as_it_is(one);
}

fn a_broken_cluster_says_what_broke_it_and_starts_anew(one: &DedicatedCluster) {
    let first = one.pid();
    kill(part(one, "kube-apiserver"));
    wait_until("the death is noted", || one.dir().join("broken").exists());
    let again = one.start_control_plane();
    assert!(
        again.contains("is broken and is started anew: kube-apiserver ended: killed by signal 9 (killed)"),
        "{again}"
    );
    assert!(again.contains("the end of its log:"), "{again}");
    assert_ne!(one.pid(), first);
}

fn down_leaves_nothing_after_its_first_process_was_killed(one: &DedicatedCluster) {
    assert!(!cgroups(one).is_empty());
    let held = Processes::of(one);
    kill(Pid::from_raw(one.pid()).unwrap());
    one.down();
    wait_until("its processes are gone", || !held.any_lives());
    assert_eq!(cgroups(one), [""; 0].map(PathBuf::from));
    assert!(!one.dir().exists());
}

#[test]
fn a_part_that_dies_during_the_start_names_itself_and_nothing_is_left_running() {
    let cluster = DedicatedCluster::not_started("dying");
    let start =
        cluster.command(&["up", "--control-plane"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("etcd runs", || cluster.dir().join("log/etcd.log").metadata().is_ok_and(|log| log.len() > 0));
    let held = Processes::of(&cluster);
    kill(part(&cluster, "etcd"));
    let output = start.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("did not start") && text.contains("etcd ended: killed by signal 9 (killed)"), "{text}");
    assert!(!held.any_lives());
    assert_eq!(cgroups(&cluster), [""; 0].map(PathBuf::from));
}

#[test]
fn down_leaves_nothing_after_a_half_finished_start_and_works_twice() {
    let cluster = DedicatedCluster::not_started("half");
    let mut start = cluster.command(&["up", "--control-plane"]).stdout(Stdio::null()).spawn().unwrap();
    wait_until("etcd runs", || cluster.dir().join("log/etcd.log").metadata().is_ok_and(|log| log.len() > 0));
    let held = Processes::of(&cluster);
    start.kill().unwrap();
    start.wait().unwrap();
    cluster.down();
    assert!(!held.any_lives());
    assert_eq!(cgroups(&cluster), [""; 0].map(PathBuf::from));
    assert!(!cluster.dir().exists());
    cluster.down();
}
