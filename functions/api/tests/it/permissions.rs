//! `docs/permissions.md` says what the code does.

use std::{fmt::Write, fs, path::PathBuf};

use api::{PUBLIC_ROUTES, ROUTES};
use shared::{
    auth::{Action, is_allowed},
    config::Env,
    models::Role,
};

const ROLES: [(Role, &str); 3] = [
    (Role::Admin, "admin"),
    (Role::User, "user"),
    (Role::Viewer, "viewer"),
];

fn document() -> String {
    let mut text = String::from(
        "# Who may do what\n\n\
         Made from the code by `cargo xtask docs`; a test compares it. A role that is not named is\n\
         denied. The role is the one in the caller's `users` document, read for every request.\n\n\
         ## Actions\n\n\
         | action | | admin | user | viewer |\n|---|---|---|---|---|\n",
    );
    for action in Action::ALL {
        let marks = ROLES.map(|(role, _)| {
            if is_allowed(role, *action) {
                "yes"
            } else {
                "–"
            }
        });
        let (name, marks) = (format!("{action:?}"), marks.join(" | "));
        writeln!(text, "| `{name}` | {} | {marks} |", action.description()).unwrap();
    }
    text.push_str(
        "\n## Routes\n\nBelow `/api/v1`. Without an action, everybody who is signed in may do it with\n\
         their own account.\n\n| route | action | roles |\n|---|---|---|\n",
    );
    for route in ROUTES.iter().copied().flatten() {
        let allowed = ROLES
            .iter()
            .filter(|(role, _)| route.action.is_none_or(|action| is_allowed(*role, action)));
        let roles: Vec<&str> = allowed.map(|(_, name)| *name).collect();
        let action = route.action.map(|action| format!("`{action:?}`"));
        let (action, roles) = (action.unwrap_or_default(), roles.join(", "));
        writeln!(
            text,
            "| `{} {}` | {action} | {roles} |",
            route.method, route.path
        )
        .unwrap();
    }
    text.push_str("\nWithout a sign-in, for whoever knows the address:\n\n");
    for route in PUBLIC_ROUTES {
        writeln!(text, "- `{} {}`", route.method, route.path).unwrap();
    }
    text
}

#[test]
fn the_permissions_document_is_what_the_code_does() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/permissions.md");
    let document = document();
    if Env::from_process().optional("UPDATE_DOCS").is_some() {
        fs::write(&path, &document).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, document, "run `cargo xtask docs`");
}
