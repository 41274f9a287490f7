use super::*;
use crate::delivery::Origin;

fn file(path: &str) -> FileRef {
    let key = KeyRef { name: "report-hook".into(), key: "url".into() };
    FileRef { path: path.into(), from: Origin::Secret(key) }
}

fn root() -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path());
    (dir, root)
}

#[test]
fn reads_up_to_its_limit_and_through_the_links_that_kubelet_makes() {
    let (dir, root) = root();
    std::fs::create_dir(dir.path().join("..2025")).unwrap();
    std::fs::write(dir.path().join("..2025/url"), "12345").unwrap();
    std::os::unix::fs::symlink("..2025", dir.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/url", dir.path().join("url")).unwrap();
    assert_eq!(root.mounted(&file("url"), 5).unwrap().expose(), b"12345");
    assert_eq!(root.mounted(&file("url"), 4).unwrap_err().reason, Reason::ReferenceTooLarge);
}

#[test]
fn a_key_that_is_not_there_and_one_that_holds_nothing_differ() {
    let (dir, root) = root();
    assert_eq!(root.mounted(&file("url"), 5).unwrap_err().reason, Reason::ReferenceMissing);
    assert_eq!(root.mounted(&file("keys/0"), 5).unwrap_err().reason, Reason::ReferenceMissing);
    let detail = "Secret report-hook doesn't exist, or has no key url; add it and the next delivery will use it";
    assert_eq!(root.mounted(&file("url"), 5).unwrap_err().detail, detail);
    std::fs::write(dir.path().join("url"), "\r\n").unwrap();
    assert_eq!(root.mounted(&file("url"), 5).unwrap_err().reason, Reason::ReferenceEmpty);
    std::fs::create_dir(dir.path().join("dir")).unwrap();
    assert_eq!(root.mounted(&file("dir"), 5).unwrap_err().reason, Reason::ReferenceUnreadable);
}

#[test]
fn cannot_be_printed() {
    assert_eq!(format!("{:?}", Secret::of(b"canary")), "[secret]");
}
