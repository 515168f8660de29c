//! No statement looks at more documents than it should: each look is paid for.

use hidane_rules::{Callee, Expr, ExprKind, Function};

use super::{
    syntax::{Scope, children, parse, scopes},
    world::RULES,
};

const LIMIT: usize = 3;

const LOOKUPS: [&str; 4] = ["get", "getAfter", "exists", "existsAfter"];

/// Statements with the documents that each may look at, as `line 12: 2`.
fn lookups(rules: &str) -> Vec<(u32, usize)> {
    let ruleset = parse(rules);
    let mut found = Vec::new();
    for scope in scopes(&ruleset) {
        for allow in &scope.body().allows {
            let condition = allow.condition.iter();
            let count = condition.map(|condition| count(condition, &scope)).sum();
            found.push((allow.span.line, count));
        }
    }
    found
}

/// All branches count, and a function's as often as it is called.
fn count(expression: &Expr, scope: &Scope<'_>) -> usize {
    let inner: usize = children(expression)
        .into_iter()
        .map(|inner| count(inner, scope))
        .sum();
    inner + own_lookups(expression, scope)
}

fn own_lookups(expression: &Expr, scope: &Scope<'_>) -> usize {
    let ExprKind::Call {
        callee: Callee::Global(name),
        ..
    } = &expression.kind
    else {
        return 0;
    };
    match function(&name.name, scope) {
        Some(function) => {
            let lets = function.lets.iter().map(|binding| &binding.value);
            let parts = lets.chain([&function.result]);
            parts.map(|part| count(part, scope)).sum()
        }
        None => usize::from(LOOKUPS.contains(&name.name.as_str())),
    }
}

/// The function of a name, if it is one of the rules'. Which body has it does not matter: see
/// [`no_name_is_given_twice`].
fn function<'r>(name: &str, scope: &Scope<'r>) -> Option<&'r Function> {
    let mut functions = scope.bodies.iter().flat_map(|body| &body.functions);
    functions.find(|function| function.name.name == name)
}

#[test]
fn no_statement_looks_at_more_than_three_documents() {
    let found = lookups(RULES);
    assert!(found.len() > 10, "{found:?}");
    let over: Vec<_> = found.iter().filter(|(_, count)| *count > LIMIT).collect();
    assert!(over.is_empty(), "lines and lookups: {over:?}");
}

#[test]
fn lookups_in_functions_arguments_and_bindings_count() {
    let rules = r"rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    function twice(path) {
      let first = exists(path);
      return first && existsAfter(path);
    }
    match /things/{id} {
      function thrice(path) {
        return twice(path) || get(path).data.open;
      }
      allow get: if thrice(getAfter(/a/$(id)).data.path);
      allow list: if true || exists(/a/$(id));
      allow create;
    }
  }
}
";
    assert_eq!(lookups(rules), [(12, 4), (13, 1), (14, 0)]);
}

#[test]
fn no_name_is_given_twice() {
    let ruleset = parse(RULES);
    for scope in scopes(&ruleset) {
        let functions = scope.bodies.iter().flat_map(|body| &body.functions);
        let mut names: Vec<&str> = functions.map(|function| &*function.name.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
    }
}
