//! Which modules may import which, as docs/architecture.md says: rooms of the operator from the bottom up, and no circular
//! imports between files. And how long a file may be.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src/operator`, from the bottom up. A room imports only the rooms below it, not those beside or above it.
const ORDER: [&[&str]; 12] = [
    &["names", "settings"],
    &["metrics"],
    &["kubernetes"],
    &["cache"],
    &["tier", "admission", "deliveries"],
    &["validate"],
    &["build"],
    &["signing_keys", "preflight", "early_jobs", "isolation", "cleanup"],
    &["schedule"],
    &["server"],
    &["controllers"],
    &["manager", "uninstall"],
];

/// The files of a crate except its tests, by module path, and the modules that each file imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn a_room_of_the_operator_imports_only_rooms_below_it() {
    let imports = imports(Path::new("src"));
    let wrong = against(&ORDER, &imports);
    assert!(wrong.is_empty(), "these imports go upwards or sideways: {wrong:#?}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for root in ["src", "benches", "e2e/src"] {
        let circles = circles(&imports(Path::new(root)));
        assert!(circles.is_empty(), "{root}: {circles:#?}");
    }
}

#[test]
fn an_arrow_that_is_drawn_against_the_order_and_a_circle_are_found() {
    let arrow = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let upwards = Imports::from([arrow("crate::operator::build::pod", "crate::operator::schedule::status")]);
    assert_eq!(against(&ORDER, &upwards), ["crate::operator::build::pod → crate::operator::schedule::status"]);
    let sideways = Imports::from([arrow("crate::operator::preflight", "crate::operator::isolation::known")]);
    assert_eq!(against(&ORDER, &sideways).len(), 1);
    let unknown = Imports::from([arrow("crate::operator::attic", "crate::operator::names")]);
    assert_eq!(against(&ORDER, &unknown).len(), 1, "a room that the order doesn't name");
    let circle = Imports::from([arrow("a", "b"), arrow("b", "c"), arrow("c", "a"), arrow("d", "a")]);
    assert_eq!(circles(&circle), [["a", "b", "c"]]);
    let code =
        "use crate::{a, b};\n/// [crate::c]\nfn f() { crate::d::g(1) }\n#[cfg(test)]\nmod tests {\n crate::e::h();";
    assert_eq!(spelled_out(code).collect::<Vec<_>>(), ["crate::d::g"]);
    let tree = "crate::{a::{self, b}, c as d}";
    assert_eq!(leaves(tree), ["crate::a::self", "crate::a::b", "crate::c"]);
}

#[test]
fn no_file_is_longer_than_300_lines() {
    for root in ["src", "benches", "tests", "e2e/src", "e2e/tests", "e2e/demo", "e2e/receiver", "fuzz/fuzz_targets"] {
        let mut files = Vec::new();
        collect(Path::new(root), &mut files);
        files.retain(|file| fs::read_to_string(file).unwrap().lines().count() > 300);
        assert!(files.is_empty(), "{files:?}");
    }
}

/// The imports that the order doesn't allow.
fn against(order: &[&[&str]], imports: &Imports) -> Vec<String> {
    let level = |room: &str| order.iter().position(|level| level.contains(&room));
    let mut wrong = Vec::new();
    for (file, imported) in imports {
        let Some(from) = room(file) else { continue };
        for other in imported {
            let Some(to) = room(other).filter(|to| *to != from) else { continue };
            if level(from).is_none() || level(to) >= level(from) {
                wrong.push(format!("{file} → {other}"));
            }
        }
    }
    wrong
}

/// The room of the operator that a module is in.
fn room(module: &str) -> Option<&str> {
    module.strip_prefix("crate::operator::")?.split("::").next()
}

/// Files that import each other in a circle.
fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|file| (file, reached(file, imports))).collect();
    let circle = |file: &String| {
        let mut circle: Vec<_> = reached[file].iter().filter(|other| reached[**other].contains(file)).collect();
        circle.sort();
        circle.into_iter().map(|file| (*file).clone()).collect::<Vec<_>>()
    };
    let all: BTreeSet<_> = imports.keys().map(circle).filter(|circle| !circle.is_empty()).collect();
    all.into_iter().collect()
}

/// All files that a file's imports lead to, directly or indirectly.
fn reached<'a>(file: &'a String, imports: &'a Imports) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(next) = open.pop() {
        for (other, _) in imports[next].iter().filter_map(|other| imports.get_key_value(other)) {
            if reached.insert(other) {
                open.push(other);
            }
        }
    }
    reached
}

fn imports(root: &Path) -> Imports {
    let mut files = Vec::new();
    collect(root, &mut files);
    assert!(files.len() > 1, "{} has files", root.display());
    let texts: BTreeMap<String, String> =
        files.iter().map(|path| (module(path, root), fs::read_to_string(path).unwrap())).collect();
    let for_tests: BTreeSet<String> = texts.iter().flat_map(|(file, text)| test_modules(file, text)).collect();
    let is_test = |file: &str| for_tests.iter().any(|test| file == test || file.starts_with(&format!("{test}::")));
    let known = |path: &str| {
        let mut path = path;
        loop {
            if texts.contains_key(path) {
                return Some(path.to_owned());
            }
            path = path.rsplit_once("::")?.0;
        }
    };
    let production = texts.iter().filter(|(file, _)| !is_test(file));
    let imported = |(file, text): (&String, &String)| {
        let paths = uses(text).flat_map(leaves).chain(spelled_out(text));
        let uses = paths.filter_map(|path| known(&absolute(&path, file)));
        // An import of a module that lies below the file's own module doesn't count: it is a part of it.
        let others = uses.filter(|other| other != file && !other.starts_with(&format!("{file}::")));
        (file.clone(), others.collect())
    };
    production.map(imported).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The module path of a file.
fn module(path: &Path, root: &Path) -> String {
    let path = path.strip_prefix(root).unwrap().with_extension("");
    let parts = path.iter().map(|part| part.to_str().unwrap()).filter(|part| !matches!(*part, "mod" | "lib" | "main"));
    std::iter::once("crate").chain(parts).collect::<Vec<_>>().join("::")
}

/// The modules that a file declares only for tests.
fn test_modules(file: &str, text: &str) -> Vec<String> {
    let declared = text.split("#[cfg(test)]\n").skip(1).filter_map(|rest| {
        let (_, rest) = rest.lines().next()?.split_once("mod ")?;
        rest.strip_suffix(';')
    });
    declared.map(|name| format!("{file}::{name}")).collect()
}

/// The text of a file without the tests in it.
fn production(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// The paths that a file's code spells out from the crate's root, instead of importing them.
fn spelled_out(text: &str) -> impl Iterator<Item = String> {
    let code = production(text).lines().filter(|line| !line.trim_start().starts_with("//"));
    let paths = code.flat_map(|line| line.match_indices("crate::").map(|(at, _)| &line[at..]));
    let end = |path: &str| path.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(path.len());
    paths.map(move |path| path[..end(path)].trim_end_matches("::").to_owned()).filter(|path| path != "crate")
}

/// The import trees of a file, except those of its tests.
fn uses(text: &str) -> impl Iterator<Item = &str> {
    let statements = production(text).split(';').map(str::trim).map(|statement| {
        let at = statement.rfind("\nuse ").or_else(|| statement.rfind("\npub use ")).map_or(0, |at| at + 1);
        &statement[at..]
    });
    statements.filter_map(|statement| statement.strip_prefix("use ").or_else(|| statement.strip_prefix("pub use ")))
}

/// The paths of an import tree.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, rest)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap_or_default().trim().to_owned()];
    };
    let inner = rest.trim_end().strip_suffix('}').unwrap();
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&inner[start..]);
    let items = items.into_iter().filter(|item| !item.trim().is_empty());
    items.flat_map(leaves).map(|leaf| format!("{prefix}{leaf}")).collect()
}

/// An import's path in a file, written from the root of the crate.
fn absolute(path: &str, file: &str) -> String {
    let (mut module, mut path) = (file.to_owned(), path);
    if let Some(rest) = path.strip_prefix("self::") {
        return format!("{module}::{rest}");
    }
    while let Some(rest) = path.strip_prefix("super::") {
        module = module.rsplit_once("::").map_or_else(String::new, |(parent, _)| parent.to_owned());
        path = rest;
        if !path.starts_with("super::") {
            return format!("{module}::{path}");
        }
    }
    // The path starts with a child of the module, or with another crate.
    if path.starts_with("crate::") { path.to_owned() } else { format!("{module}::{path}") }
}
