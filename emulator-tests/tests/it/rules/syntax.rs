//! The rules as hidane parses them.

use hidane_rules::{Body, Callee, Expr, ExprKind, PathPart, Ruleset, SegmentKind, SourceFile};

pub(super) fn parse(rules: &str) -> Ruleset {
    let compilation = hidane_rules::compile(&[SourceFile {
        name: None,
        content: rules.to_owned(),
    }]);
    let errors = compilation.error_message();
    compilation
        .ruleset
        .unwrap_or_else(|| panic!("{errors}\n{rules}"))
}

/// What a service or a `match` holds, and the bodies around it from the outside in.
pub(super) struct Scope<'r> {
    /// The collection without ids; empty outside of all.
    pub(super) collection: String,
    pub(super) bodies: Vec<&'r Body>,
}

impl<'r> Scope<'r> {
    pub(super) fn body(&self) -> &'r Body {
        self.bodies[self.bodies.len() - 1]
    }

    /// Every expression of its functions and `allow` statements, with all that they hold.
    pub(super) fn expressions(&self) -> Vec<&'r Expr> {
        let body = self.body();
        let functions = body.functions.iter().flat_map(|function| {
            let lets = function.lets.iter().map(|binding| &binding.value);
            lets.chain([&function.result])
        });
        let conditions = body
            .allows
            .iter()
            .filter_map(|allow| allow.condition.as_ref());
        functions
            .chain(conditions)
            .flat_map(with_descendants)
            .collect()
    }
}

/// The service and every `match` in it.
pub(super) fn scopes(ruleset: &Ruleset) -> Vec<Scope<'_>> {
    let service = ruleset.service("cloud.firestore").unwrap();
    let mut scopes = vec![Scope {
        collection: String::new(),
        bodies: vec![&service.body],
    }];
    let mut next = 0;
    while next < scopes.len() {
        let inner = inner_scopes(&scopes[next]);
        scopes.extend(inner);
        next += 1;
    }
    scopes
}

fn inner_scopes<'r>(outer: &Scope<'r>) -> Vec<Scope<'r>> {
    let matches = outer.body().matches.iter();
    let inner = matches.map(|inner| {
        let names = inner.path.iter().filter_map(|segment| match &segment.kind {
            SegmentKind::Literal(name) => Some(name.as_str()),
            _ => None,
        });
        let names = names.filter(|name| !["databases", "documents"].contains(name));
        let outer_names = outer.collection.split('/').filter(|name| !name.is_empty());
        let collection: Vec<&str> = outer_names.chain(names).collect();
        let mut bodies = outer.bodies.clone();
        bodies.push(&inner.body);
        Scope {
            collection: collection.join("/"),
            bodies,
        }
    });
    inner.collect()
}

fn with_descendants(expression: &Expr) -> Vec<&Expr> {
    let mut found = vec![expression];
    let mut next = 0;
    while next < found.len() {
        let inner = children(found[next]);
        found.extend(inner);
        next += 1;
    }
    found
}

/// The expressions directly in one.
pub(super) fn children(expression: &Expr) -> Vec<&Expr> {
    match &expression.kind {
        ExprKind::List(items) => items.iter().collect(),
        ExprKind::Map(entries) => entries
            .iter()
            .flat_map(|(key, value)| [key, value])
            .collect(),
        ExprKind::Path(parts) => parts
            .iter()
            .filter_map(|part| match part {
                PathPart::Expr(inner) => Some(inner),
                PathPart::Segment(_) => None,
            })
            .collect(),
        ExprKind::Member { object, .. } => vec![object],
        ExprKind::Index { object, index } => vec![object, index],
        ExprKind::Slice { object, start, end } => vec![object, start, end],
        ExprKind::Call { callee, args } => match callee {
            Callee::Method { receiver, .. } => args.iter().chain([&**receiver]).collect(),
            Callee::Global(_) | Callee::Namespaced { .. } => args.iter().collect(),
        },
        ExprKind::Unary { operand, .. } => vec![operand],
        ExprKind::Binary { left, right, .. } => vec![left, right],
        ExprKind::Is { value, .. } => vec![value],
        ExprKind::Ternary {
            condition,
            then,
            otherwise,
            ..
        } => vec![condition, then, otherwise],
        ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Int(_)
        | ExprKind::IntOverflow(_)
        | ExprKind::Float(_)
        | ExprKind::String(_)
        | ExprKind::Bytes(_)
        | ExprKind::Ident(_) => Vec::new(),
    }
}
