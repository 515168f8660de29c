use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Step;
use crate::ids::{ExecutionId, OrgId};

/// Where an output may refer to the body: as JSON Pointers, RFC 6901.
const PLACES: [&str; 2] = ["/body/stored", "/items/stored"];

/// A body that a step keeps in the bucket because it is binary or too large for a document. The
/// step's output refers to it as `{ "stored": … }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredBody {
    /// The name of the object.
    pub object: String,
    /// Its length.
    pub bytes: usize,
    /// What the server has called it.
    pub content_type: String,
    /// SHA-256 of the content, in hexadecimal digits.
    pub sha256: String,
}

impl StoredBody {
    /// A reference to an object that holds `content`.
    #[must_use]
    pub fn new(object: String, content: &[u8], content_type: &str) -> Self {
        Self {
            object,
            bytes: content.len(),
            content_type: content_type.to_owned(),
            sha256: digest(content),
        }
    }

    /// How the names of a run's objects begin.
    #[must_use]
    pub fn prefix(org_id: &OrgId, execution_id: &ExecutionId) -> String {
        format!("executions/{org_id}/{execution_id}/")
    }

    /// The name of the one object that a run keeps for a node in an iteration.
    #[must_use]
    pub fn object_of(
        org_id: &OrgId,
        execution_id: &ExecutionId,
        node_id: &str,
        iteration: &str,
    ) -> String {
        let prefix = Self::prefix(org_id, execution_id);
        format!("{prefix}{node_id}#{iteration}/body")
    }

    /// The body that a step of this run has kept. Outputs are data, which may come from anybody: a
    /// reference to an object that is not the step's own counts for nothing.
    #[must_use]
    pub fn of_step(execution_id: &ExecutionId, step: &Step) -> Option<Self> {
        let output = &step.result.as_ref()?.output.0;
        let (org_id, iteration) = (&step.org_id, &step.iteration);
        let own = Self::object_of(org_id, execution_id, &step.node_id, iteration);
        let mut references = PLACES.iter().filter_map(|place| output.pointer(place));
        references.find_map(|reference| {
            let body = Self::deserialize(reference).ok()?;
            (body.object == own).then_some(body)
        })
    }

    /// Whether this is what was kept.
    #[must_use]
    pub fn matches(&self, content: &[u8]) -> bool {
        self.bytes == content.len() && self.sha256 == digest(content)
    }
}

fn digest(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::models::{StepIntent, StepResult, StepStatus, Timestamp};

    fn step(output: Value) -> Step {
        let at = Timestamp::from(jiff::Timestamp::UNIX_EPOCH);
        Step {
            node_id: "call".to_owned(),
            iteration: "0.2".to_owned(),
            kind: "http".to_owned(),
            org_id: OrgId::parse("o1").unwrap(),
            status: StepStatus::Succeeded,
            intent: StepIntent {
                attempt: 1,
                idempotency_key: String::new(),
                request_hash: String::new(),
                fence: 1,
                at,
                resume_at: None,
            },
            result: Some(StepResult {
                output: output.into(),
                handle: "out".to_owned(),
                error: None,
                tokens: 0,
                cost_micro_usd: 0,
                duration_ms: 0,
                at,
            }),
        }
    }

    #[test]
    fn only_the_steps_own_object_is_its_body() {
        let run = ExecutionId::parse("t1").unwrap();
        let stored = |object: &str| {
            let body = StoredBody::new(object.to_owned(), b"x", "a/b");
            json!({ "stored": body })
        };
        let own = "executions/o1/t1/call#0.2/body";
        for field in ["body", "items"] {
            let body = StoredBody::of_step(&run, &step(json!({ field: stored(own) })));
            assert_eq!(body.unwrap().object, own, "{field}");
        }
        for output in [
            json!({ "body": stored("executions/o2/t1/call#0.2/body") }),
            json!({ "body": stored("executions/o1/t2/call#0.2/body") }),
            json!({ "body": stored("executions/o1/t1/call#0.1/body") }),
            json!({ "body": stored("executions/o1/t1/other#0.2/body") }),
            json!({ "body": { "stored": { "object": own } } }),
            json!({ "headers": stored(own) }),
            json!(null),
        ] {
            let body = StoredBody::of_step(&run, &step(output.clone()));
            assert_eq!(body, None, "{output}");
        }
    }

    #[test]
    fn another_content_is_not_what_was_kept() {
        let body = StoredBody::new("o".to_owned(), b"ab", "text/plain");
        assert!(body.matches(b"ab"));
        assert!(!body.matches(b"ac"));
        assert!(!body.matches(b"a"));
    }
}
