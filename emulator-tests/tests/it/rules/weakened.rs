//! Each of these rules lets somebody do too much; the table must notice.

use super::{
    cases,
    world::{RULES, World},
};

/// What is weakened, the text of the rules and what stands in its place.
const WEAKENED: [(&str, &str, &str); 14] = [
    (
        "claims decide about the role",
        "user.role in roles",
        "request.auth.token.role in roles",
    ),
    (
        "any organization will do",
        "user.organizationId == orgId",
        "user.organizationId is string",
    ),
    (
        "an empty organization is one",
        "orgId != ''",
        "orgId != 'x'",
    ),
    (
        "null is an organization",
        "return orgId is string && orgId != ''",
        "return orgId != ''",
    ),
    (
        "viewers edit",
        "hasRole(orgId, ['admin', 'user']);",
        "hasRole(orgId, ['admin', 'user', 'viewer']);",
    ),
    (
        "every user reads the audit log",
        "['admin']);",
        "['admin', 'user', 'viewer']);",
    ),
    (
        "an allowed change carries another",
        "affectedKeys().hasOnly(fields)",
        "affectedKeys().hasAny(fields)",
    ),
    (
        "the organization after the write decides",
        "if isEditor(resource.data.orgId)\n        && request.resource.data.id == resource.data.id\n        && request.resource.data.orgId == resource.data.orgId",
        "if isEditor(request.resource.data.orgId)\n        && request.resource.data.id == resource.data.id",
    ),
    (
        "a log line says whose it is",
        "isMember(\n          get(/databases/$(database)/documents/executions/$(executionId)).data.orgId)",
        "isMember(resource.data.orgId)",
    ),
    (
        "whoever is signed in reads the rest",
        "allow read, write: if false",
        "allow read: if request.auth != null",
    ),
    (
        "clients delete workflows",
        "allow create: if isEditor(request",
        "allow delete: if isEditor(resource.data.orgId);\n      allow create: if isEditor(request",
    ),
    (
        "clients create agents",
        "allow update: if isEditor(resource.data.orgId)\n        && changesOnly",
        "allow create: if isEditor(request.resource.data.orgId);\n      allow update: if isEditor(resource.data.orgId)\n        && changesOnly",
    ),
    (
        "members list organizations",
        "allow get: if isMember(orgId)",
        "allow read: if true",
    ),
    (
        "users write their whole document",
        "isSelf() && changesOnly(['settings'])",
        "isSelf()",
    ),
];

async fn is_noticed(rules: &str) -> bool {
    let world = World::start(rules).await;
    for case in cases() {
        if world.decide(&case).await != case.expected {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn weaker_rules_are_noticed() {
    for (name, text, replacement) in WEAKENED {
        assert!(RULES.contains(text), "{name}: not in the rules");
        let rules = RULES.replacen(text, replacement, 1);
        assert!(is_noticed(&rules).await, "{name}");
    }
}

/// The rules with one line's condition always true, or nothing for another line.
fn without_condition(lines: &[&str], index: usize) -> Option<String> {
    let condition = lines[index].trim_start().strip_prefix("&& ")?;
    let (condition, end) = match condition.strip_suffix(';') {
        Some(condition) => (condition, ";"),
        None => (condition, ""),
    };
    let always = format!("&& (true || {condition}){end}");
    let mut lines = lines.to_vec();
    lines[index] = &always;
    Some(lines.join("\n"))
}

#[tokio::test]
async fn every_condition_on_a_line_of_its_own_is_needed() {
    let lines: Vec<&str> = RULES.lines().collect();
    let mut unnoticed = Vec::new();
    let mut tried = 0;
    for (index, line) in lines.iter().enumerate() {
        let Some(rules) = without_condition(&lines, index) else {
            continue;
        };
        tried += 1;
        if !is_noticed(&rules).await {
            unnoticed.push(format!("{}: {}", index + 1, line.trim()));
        }
    }
    assert!(tried > 20, "{tried} conditions");
    assert!(
        unnoticed.is_empty(),
        "no case needs:\n{}",
        unnoticed.join("\n")
    );
}
