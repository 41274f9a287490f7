//! A network for one test alone.

use std::fs;
use std::process::Command;

use crate::dns::Dns;

/// Set in the test's own network, where the test starts itself again.
const INSIDE: &str = "POSTERN_TEST_INSIDE";

/// Runs this test in network and mount namespaces with a `resolv.conf` that names the tests' DNS.
pub(crate) fn run_in_its_own(test: &str, body: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let folder = tempfile::tempdir().unwrap();
    let resolv_conf = folder.path().join("resolv.conf");
    fs::write(&resolv_conf, format!("nameserver {}\n", Dns::SERVER)).unwrap();
    let script =
        r#"PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@""#;
    let ran = Command::new("unshare")
        .args(["--map-root-user", "--net", "--mount", "sh", "-c", script, "sh"])
        .arg(&resolv_conf)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap_or_else(|error| panic!("unshare (Debian package util-linux) can't be run: {error}"));
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("1 passed"), "{said}");
}
