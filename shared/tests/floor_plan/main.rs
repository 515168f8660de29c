//! Fails when an import breaks the floor plan of `house-style.md` section 3, or a file its
//! section 4. The sources are parsed, so that groups, renames, `super` chains and macro arguments
//! count as well.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod floors;
mod mentions;
mod planted;
mod sizes;
mod source;

use std::collections::BTreeSet;

use source::{Source, Tree};

fn problems(check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    let tree = Tree::load();
    let files = tree.sources.iter();
    files
        .flat_map(|source| {
            let problems = check(source).into_iter();
            problems.map(|problem| format!("{}: {problem}", source.path))
        })
        .collect()
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn imports_keep_to_the_floor_plan() {
    assert_none(&problems(floors::check));
}

#[test]
fn files_keep_to_their_names_and_sizes() {
    assert_none(&problems(sizes::check));
}

#[test]
fn the_whole_tree_is_read() {
    let tree = Tree::load();
    assert!(tree.sources.len() > 20, "{} files", tree.sources.len());
    for path in [
        "shared/src/lib.rs",
        "shared/src/store/firestore.rs",
        "functions/api/src/main.rs",
        "functions/execute-workflow/src/lib.rs",
    ] {
        let found = tree.sources.iter().any(|source| source.path == path);
        assert!(found, "{path}");
    }
    let test = "shared/src/auth/claims/tests.rs";
    assert!(tree.sources.iter().all(|source| source.path != test));
}

#[test]
fn every_function_is_known() {
    let tree = Tree::load();
    let crates: BTreeSet<&str> = tree.sources.iter().map(|source| &*source.krate).collect();
    let known = BTreeSet::from_iter(floors::FUNCTIONS.into_iter().chain(["shared"]));
    assert_eq!(crates, known);
}

#[test]
fn every_module_of_shared_has_a_floor() {
    let tree = Tree::load();
    let modules = tree.sources.iter().filter_map(Source::shared_module);
    let mut missing: Vec<&str> = modules.filter(|module| !floors::has(module)).collect();
    missing.dedup();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}
