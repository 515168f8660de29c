use serde_json::{Value, json};

use super::{
    actor::{Actor, EVERYBODY},
    case::{Case, Operation, allow, deny, list, update},
};

/// Who may do what with the documents of one collection; everybody else may not.
pub(super) struct Access {
    /// A document of organization `o1`.
    pub(super) document: String,
    pub(super) get: &'static [Actor],
    /// A query for documents of `o1`.
    pub(super) query: Operation,
    pub(super) list: &'static [Actor],
    /// A document that is fine but for who makes it, with the id `new`.
    pub(super) new: Value,
    pub(super) create: &'static [Actor],
    /// A change that is fine but for who makes it.
    pub(super) change: Value,
    pub(super) update: &'static [Actor],
    pub(super) delete: &'static [Actor],
}

impl Access {
    /// Nobody may do anything.
    pub(super) fn none(document: &str) -> Self {
        Self {
            document: document.to_owned(),
            get: &[],
            query: list("orgId", "EQUAL", json!("o1")),
            list: &[],
            new: json!({ "id": "new", "orgId": "o1" }),
            create: &[],
            change: json!({ "orgId": "o1", "changed": true }),
            update: &[],
            delete: &[],
        }
    }

    /// Every operation by everybody.
    pub(super) fn cases(&self) -> Vec<Case> {
        let (collection, _) = self.document.rsplit_once('/').unwrap_or_default();
        let new = format!("{collection}/new");
        let create = Operation::Create(self.new.clone());
        [
            (&*self.document, Operation::Get, self.get),
            (collection, self.query.clone(), self.list),
            (&new, create, self.create),
            (&self.document, update(self.change.clone()), self.update),
            (&self.document, Operation::Delete, self.delete),
        ]
        .into_iter()
        .flat_map(|(path, operation, allowed)| by_everybody(path, &operation, allowed))
        .collect()
    }
}

fn by_everybody(path: &str, operation: &Operation, allowed: &[Actor]) -> Vec<Case> {
    let row = |actor: Actor| {
        let verdict = if allowed.contains(&actor) {
            allow
        } else {
            deny
        };
        verdict(actor, path, operation.clone())
    };
    EVERYBODY.map(row).into()
}
