//! Violations that the checks must catch, and code that they must not.

use crate::{
    floors, sizes,
    source::{Source, Tree},
};

const STORE: &str = "shared/src/store/agents.rs";
const LOGIC: &str = "functions/api/src/agents.rs";

fn problems(path: &str, text: &str) -> Vec<String> {
    floors::check(&Source::parse(path, text.to_owned()))
}

#[track_caller]
fn assert_caught(path: &str, text: &str, problem: &str) {
    let found = problems(path, text);
    assert!(
        found.iter().any(|found| found.contains(problem)),
        "`{text}` in {path}: {found:?}"
    );
}

#[track_caller]
fn assert_clean(path: &str, text: &str) {
    let found = problems(path, text);
    assert!(found.is_empty(), "`{text}` in {path}: {found:?}");
}

#[test]
fn a_forbidden_import_is_caught_however_it_is_written() {
    for text in [
        "use crate::http::Json;",
        "use crate::{ids::OrgId, http::Json};",
        "use crate::{ids::OrgId, http::{self, Json}};",
        "use crate::http as edge;",
        "use crate::http::*;",
        "use super::super::http::Json;",
        "use super::{super::http, document_db};",
        "pub(crate) use crate::http::Json;",
        "pub use crate::http;",
        "fn f() { crate::http::serve() }",
        "fn f(json: crate::http::Json) {}",
        "fn f() { g::<super::super::http::Json>() }",
        "fn f() { use crate::http::Json; }",
        "impl crate::http::Port for X {}",
        "struct X { json: Vec<crate::http::Json> }",
        "fn f() { let _ = vec![1, crate::http::code()]; }",
        "fn f() { assert!(matches!(x, crate::http::Code::NotFound)); }",
        "#[derive(crate::http::Edge)] struct X;",
        "mod inner { use super::super::super::http; }",
        "mod inner { fn f() { super::super::super::http::serve() } }",
        "macro_rules! m { () => { crate::http::serve() } }",
        "#[cfg(feature = \"testing\")] use crate::http::Json;",
        "#[cfg(not(test))] use crate::http::Json;",
    ] {
        assert_caught(STORE, text, "`store` may not import `http`");
    }
}

#[test]
fn the_whole_crate_as_an_import_is_caught() {
    for text in ["use crate::*;", "use super::super::*;", "use crate as all;"] {
        assert_caught(STORE, text, "every floor");
    }
}

#[test]
fn each_floor_is_held() {
    for (module, target) in [
        ("ids", "clock"),
        ("models", "store"),
        ("retry", "models"),
        ("store", "llm"),
        ("llm", "store"),
        ("email", "models"),
        ("stripe", "store"),
        ("audit", "auth"),
        ("outbox", "audit"),
        ("provision", "quota"),
        ("quota", "vault"),
        ("events", "store"),
        ("auth", "http"),
    ] {
        let path = format!("shared/src/{module}/part.rs");
        let problem = format!("`{module}` may not import `{target}`");
        assert_caught(&path, &format!("use crate::{target}::X;"), &problem);
    }
}

#[test]
fn an_import_of_a_lower_floor_is_fine() {
    assert_clean(
        STORE,
        "use crate::{ids::OrgId, models::Agent, retry::Policy};",
    );
    assert_clean(
        STORE,
        "use super::{Error, document_db::Query}; use super::super::ids;",
    );
    assert_clean("shared/src/http.rs", "use crate::{auth, quota, store};");
    assert_clean(
        "shared/src/quota/agents.rs",
        "use crate::{llm, email, store, clock};",
    );
    assert_clean(
        "shared/src/store.rs",
        "mod firestore; pub use firestore::Firestore;",
    );
}

#[test]
fn tests_are_exempt() {
    let imports = "use crate::{http::Json, testing::MemoryDb}; fn f() { reqwest::get() }";
    assert_clean(STORE, &format!("#[cfg(test)] mod tests {{ {imports} }}"));
    assert_clean(STORE, "#[cfg(test)] use crate::testing::MemoryDb;");
    let file = |path: &str, text: &str| Source::parse(path, text.to_owned());
    let tree = Tree::without_tests(vec![
        file(STORE, "#[cfg(test)] mod tests; mod queries;"),
        file("shared/src/store/agents/tests.rs", imports),
        file("shared/src/store/agents/tests/more.rs", imports),
        file("shared/src/store/agents/queries.rs", ""),
        file("functions/api/src/store/agents/tests.rs", ""),
    ]);
    let left: Vec<&str> = tree.sources.iter().map(|source| source.file()).collect();
    assert_eq!(
        left,
        [
            "store/agents.rs",
            "store/agents/queries.rs",
            "store/agents/tests.rs"
        ]
    );
}

#[test]
fn another_crate_of_the_workspace_is_caught() {
    for name in [
        "deploy_agent",
        "execute_workflow",
        "emulator_tests",
        "xtask",
    ] {
        let text = format!("use {name}::AppState;");
        assert_caught(LOGIC, &text, "another crate of the workspace");
        assert_caught(STORE, &text, "another crate of the workspace");
    }
    assert_clean("functions/api/src/main.rs", "use api::{AppState, router};");
}

#[test]
fn http_in_logic_is_caught() {
    for text in [
        "use axum::Json;",
        "use axum as web;",
        "use ::axum::Json;",
        "fn f() -> axum::response::Response { todo() }",
        "extern crate axum;",
    ] {
        assert_caught(LOGIC, text, "logic has no HTTP");
    }
    assert_caught(LOGIC, "use shared as all;", "as a whole");
    assert_caught(LOGIC, "use shared::http::ApiError;", "`shared::http`");
    assert_caught(
        LOGIC,
        "use shared::{ids, events::CloudEvent};",
        "`shared::events`",
    );
    assert_caught(
        "functions/api/src/routes_of_mine.rs",
        "use axum::Json;",
        "no HTTP",
    );
    for file in ["lib", "handler", "routes", "routes/agents", "handler/sweep"] {
        let path = format!("functions/api/src/{file}.rs");
        assert_clean(
            &path,
            "use axum::Json; use shared::{events, http::ApiError};",
        );
    }
}

#[test]
fn a_vendor_client_outside_of_its_file_is_caught() {
    for (path, text) in [
        (STORE, "use firestore::FirestoreDb;"),
        (STORE, "fn f(db: firestore::FirestoreDb) {}"),
        (
            "shared/src/store.rs",
            "use gcloud_sdk::google::firestore::v1::Value;",
        ),
        ("shared/src/quota.rs", "fn f() { reqwest::get(\"x\") }"),
        (
            "functions/execute-workflow/src/node/http.rs",
            "use reqwest::Client;",
        ),
        (LOGIC, "use redis::Client;"),
    ] {
        assert_caught(path, text, "belongs elsewhere");
    }
    assert_clean(
        "shared/src/store/firestore.rs",
        "use firestore::FirestoreDb;",
    );
    assert_clean("shared/src/llm/providers/openai.rs", "use reqwest::Client;");
    assert_clean(
        "shared/src/events.rs",
        "mod firestore; use self::firestore::X; type Y = firestore::Y;",
    );
}

#[test]
fn a_way_around_admission_is_caught() {
    for (path, text, problem) in [
        (
            LOGIC,
            "use shared::llm::SharedProvider;",
            "without admission",
        ),
        (
            LOGIC,
            "use shared::llm::{Message, Provider};",
            "without admission",
        ),
        (
            LOGIC,
            "use shared::llm::OpenAi as Model;",
            "without admission",
        ),
        (
            LOGIC,
            "use shared::llm::providers::openai::OpenAi;",
            "without admission",
        ),
        (
            LOGIC,
            "fn f(all: shared::llm::Providers) {}",
            "without admission",
        ),
        (
            LOGIC,
            "use shared::llm::speech::SharedSpeaker;",
            "without admission",
        ),
        (LOGIC, "use shared::llm::speech::*;", "without admission"),
        (LOGIC, "use shared::llm;", "as a whole"),
        (LOGIC, "use shared::llm::*;", "as a whole"),
        ("shared/src/http/error.rs", "use crate::llm;", "as a whole"),
        (
            "shared/src/vault.rs",
            "use crate::llm::Providers;",
            "without admission",
        ),
        (
            "functions/execute-workflow/src/node/llm.rs",
            "use shared::llm::Anthropic;",
            "without admission",
        ),
    ] {
        assert_caught(path, text, problem);
    }
    assert_clean(
        LOGIC,
        "use shared::llm::{ChatRequest, Message, ProvidersConfig, price::find_at};",
    );
    for module in ["llm/router", "quota/metered", "testing/metered_llm"] {
        let path = format!("shared/src/{module}.rs");
        assert_clean(
            &path,
            "use crate::llm::{Provider, Providers, SharedProvider};",
        );
    }
}

#[test]
fn fakes_outside_of_tests_are_caught() {
    for path in [
        LOGIC,
        STORE,
        "functions/api/src/lib.rs",
        "shared/src/http.rs",
    ] {
        let text = match path.starts_with("shared") {
            true => "use crate::testing::MemoryDb;",
            false => "use shared::testing::MemoryDb;",
        };
        let found = problems(path, text);
        assert!(!found.is_empty(), "{path}");
    }
    assert_clean(
        "shared/src/testing/memory_db.rs",
        "use crate::testing::lock;",
    );
}

#[test]
fn vague_names_and_long_files_are_caught() {
    let lines = |count: usize| "// A line.\n".repeat(count);
    for (path, text, caught) in [
        ("shared/src/store/mod.rs", String::new(), true),
        ("shared/src/util.rs", String::new(), true),
        ("functions/api/src/common/ids.rs", String::new(), true),
        ("functions/api/src/main.rs", lines(26), true),
        ("functions/api/src/main.rs", lines(25), false),
        ("shared/src/store.rs", lines(401), true),
        ("shared/src/store.rs", lines(400), false),
        (
            "shared/src/store.rs",
            lines(399) + "\n#[cfg(test)]\nmod tests {\n" + &lines(99) + "}",
            false,
        ),
    ] {
        let source = Source::parse(path, text);
        assert_eq!(!sizes::check(&source).is_empty(), caught, "{path}");
    }
}
