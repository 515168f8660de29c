use hidane_rules::{BinaryOp, Expr, ExprKind, Span};

use super::{
    super::{
        access::Access,
        accesses,
        case::{METHODS, collection_of},
        syntax::{parse, scopes},
    },
    Mutant, RULES,
};

/// Changes that a program can think of.
pub(super) fn mutants() -> Vec<Mutant> {
    [
        without_conditions(),
        with_other_bounds(),
        without_checks(),
        with_doors(),
    ]
    .concat()
}

/// Each operand of each `&&` in turn always holds.
fn without_conditions() -> Vec<Mutant> {
    let ruleset = parse(RULES);
    let mut mutants = Vec::new();
    for scope in scopes(&ruleset) {
        for operand in scope.expressions().into_iter().flat_map(operands) {
            let text = &RULES[operand.span.start..operand.span.end];
            let name = format!("`{}`: without `{text}`", line(operand.span));
            let always = format!("(true || {text})");
            mutants.push(changed(name, &scope.collection, operand.span, &always));
        }
    }
    mutants
}

fn operands(expression: &Expr) -> Vec<&Expr> {
    let ExprKind::Binary {
        op: BinaryOp::And,
        left,
        right,
        ..
    } = &expression.kind
    else {
        return Vec::new();
    };
    let is_chain = |operand: &&Expr| {
        matches!(
            &operand.kind,
            ExprKind::Binary {
                op: BinaryOp::And,
                ..
            }
        )
    };
    let both: [&Expr; 2] = [left, right];
    both.into_iter()
        .filter(|operand| !is_chain(operand))
        .collect()
}

/// Each number in turn is a little less, and a little more.
fn with_other_bounds() -> Vec<Mutant> {
    let ruleset = parse(RULES);
    let mut mutants = Vec::new();
    for scope in scopes(&ruleset) {
        for number in scope.expressions() {
            for neighbour in neighbours(number) {
                let text = &RULES[number.span.start..number.span.end];
                let name = format!("`{}`: {text} becomes {neighbour}", line(number.span));
                mutants.push(changed(name, &scope.collection, number.span, &neighbour));
            }
        }
    }
    mutants
}

fn neighbours(number: &Expr) -> Vec<String> {
    match number.kind {
        ExprKind::Int(number) => vec![(number - 1).to_string(), (number + 1).to_string()],
        ExprKind::Float(number) => vec![(number - 0.01).to_string(), (number + 0.01).to_string()],
        _ => Vec::new(),
    }
}

/// Each `allow` in turn has no condition.
fn without_checks() -> Vec<Mutant> {
    let ruleset = parse(RULES);
    let mut mutants = Vec::new();
    for scope in scopes(&ruleset) {
        for allow in &scope.body().allows {
            let condition = allow.condition.as_ref().expect("a condition");
            let name = format!("`{}`: if true", line(allow.span));
            mutants.push(changed(name, &scope.collection, condition.span, "true"));
        }
    }
    mutants
}

/// Each collection in turn lets everybody in, one method at a time.
fn with_doors() -> Vec<Mutant> {
    let accesses = accesses();
    let mutants = accesses
        .iter()
        .flat_map(|access| METHODS.map(|method| with_door(access, method)));
    mutants.collect()
}

fn with_door(access: &Access, method: &'static str) -> Mutant {
    let default = "match /{document=**} {";
    let segments = access.document.split('/').enumerate();
    let pattern: String = segments
        .map(|(index, name)| match index % 2 {
            0 => format!("/{name}"),
            _ => format!("/{{id{index}}}"),
        })
        .collect();
    let door = format!("match {pattern} {{ allow {method}: if true; }}\n    {default}");
    Mutant {
        name: format!("everybody may {method} {pattern}"),
        collection: collection_of(&access.document),
        method: Some(method),
        rules: RULES.replacen(default, &door, 1),
    }
}

/// The table notices what all collections share soonest with agents, as with any that are read
/// and written.
fn changed(name: String, collection: &str, span: Span, replacement: &str) -> Mutant {
    let collection = if collection.is_empty() {
        "agents"
    } else {
        collection
    };
    let (before, after) = (&RULES[..span.start], &RULES[span.end..]);
    Mutant {
        name,
        collection: collection.to_owned(),
        method: None,
        rules: format!("{before}{replacement}{after}"),
    }
}

/// The line of the rules that a span begins in.
fn line(span: Span) -> &'static str {
    let start = RULES[..span.start].rfind('\n').map_or(0, |end| end + 1);
    RULES[start..].lines().next().unwrap_or_default().trim()
}
