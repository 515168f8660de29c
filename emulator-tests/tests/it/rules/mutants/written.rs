use super::{super::protected::PROTECTED, Mutant, RULES};

/// Where the table notices soonest, what is changed, the text of the rules, and what stands in
/// its place.
const CHANGES: [(&str, &str, &str, &str); 19] = [
    (
        "agents",
        "claims decide about the role",
        "user.role in roles",
        "request.auth.token.role in roles",
    ),
    (
        "agents",
        "any organization will do",
        "user.organizationId == orgId",
        "user.organizationId is string",
    ),
    (
        "agents",
        "an empty organization is one",
        "orgId != ''",
        "orgId != 'x'",
    ),
    (
        "agents",
        "null is an organization",
        "return orgId is string && orgId != ''",
        "return orgId != ''",
    ),
    (
        "agents",
        "viewers edit",
        "hasRole(orgId, ['admin', 'user']);",
        "hasRole(orgId, ['admin', 'user', 'viewer']);",
    ),
    (
        "audit_logs",
        "every user reads the audit log",
        "['admin']);",
        "['admin', 'user', 'viewer']);",
    ),
    (
        "users",
        "an allowed change carries another",
        "affectedKeys().hasOnly(fields)",
        "affectedKeys().hasAny(fields)",
    ),
    (
        "workflows",
        "the organization after the write decides",
        "if isEditor(resource.data.orgId)\n        && request.resource.data.id == resource.data.id\n        && request.resource.data.orgId == resource.data.orgId",
        "if isEditor(request.resource.data.orgId)\n        && request.resource.data.id == resource.data.id",
    ),
    (
        "executions/logs",
        "a log line says whose it is",
        "isMember(\n          get(/databases/$(database)/documents/executions/$(executionId)).data.orgId)",
        "isMember(resource.data.orgId)",
    ),
    (
        "triggers",
        "whoever is signed in reads the rest",
        "allow read, write: if false",
        "allow read: if request.auth != null",
    ),
    (
        "workflows",
        "clients delete workflows",
        "allow create: if isEditor(request",
        "allow delete: if isEditor(resource.data.orgId);\n      allow create: if isEditor(request",
    ),
    (
        "agents",
        "clients create agents",
        "allow update: if isEditor(resource.data.orgId)\n        && changesOnly",
        "allow create: if isEditor(request.resource.data.orgId);\n      allow update: if isEditor(resource.data.orgId)\n        && changesOnly",
    ),
    (
        "organizations",
        "members list organizations",
        "allow get: if isMember(orgId)",
        "allow read: if true",
    ),
    (
        "users",
        "users write their whole document",
        "isSelf() && changesOnly(['settings'])",
        "isSelf()",
    ),
    (
        "agents",
        "the time of the token decides about a logout",
        "request.auth.token.auth_time >=",
        "request.auth.token.iat >=",
    ),
    (
        "agents",
        "a logout counts from its next second",
        "auth_time >= user",
        "auth_time + 1 >= user",
    ),
    (
        "agents",
        "a logout counts for its own second",
        "auth_time >= user",
        "auth_time > user",
    ),
    (
        "agents",
        "an odd logout is none",
        "user.get('tokensValidAfter', null) == null",
        "!(user.get('tokensValidAfter', null) is timestamp)",
    ),
    (
        "agents",
        "only a clear yes locks out",
        "user.get('disabled', false) == false",
        "user.get('disabled', false) != true",
    ),
];

/// Lists of the fields that clients may write, and the collection.
const WRITABLE: [(&str, &str); 4] = [
    ("users", "['settings']"),
    ("organizations", "['name']"),
    (
        "agents",
        "['name', 'industry', 'personality', 'voiceConfig']",
    ),
    (
        "workflows",
        "['name', 'description', 'createdAt', 'updatedAt']",
    ),
];

/// Changes that need an idea.
pub(super) fn mutants() -> Vec<Mutant> {
    let changes = CHANGES.map(|(collection, name, text, replacement)| Mutant {
        name: name.to_owned(),
        collection: collection.to_owned(),
        method: None,
        rules: replace(text, replacement),
    });
    changes.into_iter().chain(with_fields()).collect()
}

/// Each list of writable fields in turn has a field more that only the services write.
fn with_fields() -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (collection, list) in WRITABLE {
        for (field, _) in PROTECTED {
            // Every workflow has an organization; that it stays is a condition of its own.
            if (collection, field) == ("workflows", "orgId") {
                continue;
            }
            let longer = list.replace(']', &format!(", '{field}']"));
            mutants.push(Mutant {
                name: format!("clients write `{field}` in {collection}"),
                collection: collection.to_owned(),
                method: None,
                rules: replace(list, &longer),
            });
        }
    }
    mutants
}

fn replace(text: &str, replacement: &str) -> String {
    assert_eq!(RULES.matches(text).count(), 1, "`{text}` in the rules");
    RULES.replacen(text, replacement, 1)
}
