//! An agent's service as Cloud Run describes it
//! (<https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services#Service>).

use serde_json::{Value, json};
use shared::{
    ids::{AgentId, OrgId, fingerprint},
    models::{Agent, AgentRuntime, Timestamp},
};

use super::{CloudRunConfig, Progress, revision};

const MANAGED_BY: &str = "managed-by";
const AGENT: &str = "agent";
const ORGANIZATION: &str = "organization";
const SPEC: &str = "spec";

/// Who makes these services.
const MANAGER: &str = "deploy-agent";

/// Longest value of a label (<https://cloud.google.com/run/docs/configuring/services/labels>).
const MAX_LABEL_LEN: usize = 63;

/// The id of an agent's service, below the 50 characters that are allowed.
pub(super) fn service_id(id: &AgentId) -> String {
    format!("agent-{}", digits(id))
}

/// Also fits into the id of a service account, which has at most 30 characters.
fn digits(id: &AgentId) -> String {
    shortened(&["agent service 1", id.as_str()], 24)
}

/// The service that an agent's configuration wants.
pub(super) fn wanted(config: &CloudRunConfig, agent: &Agent) -> Value {
    let account = config
        .service_account
        .replace("{agent}", &digits(&agent.id));
    let env = [
        ("AGENT_ID", agent.id.as_str()),
        ("ORG_ID", agent.org_id.as_str()),
        ("GOOGLE_CLOUD_PROJECT", &config.project_id),
        ("AGENT_REVISION", &revision(agent)),
    ];
    let env = env.map(|(name, value)| json!({ "name": name, "value": value }));
    let health = json!({ "path": "/healthz" });
    let mut service = json!({
        "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY",
        "invokerIamDisabled": false,
        "template": {
            "serviceAccount": account,
            "scaling": { "minInstanceCount": 0, "maxInstanceCount": config.max_instances },
            "containers": [{
                "image": config.image,
                "env": env,
                "resources": { "cpuIdle": true },
                "startupProbe": {
                    "httpGet": health,
                    "periodSeconds": 5,
                    "timeoutSeconds": 3,
                    "failureThreshold": 24,
                },
                "livenessProbe": { "httpGet": health, "periodSeconds": 30, "timeoutSeconds": 3 },
            }],
        },
    });
    let spec = shortened(&["agent service spec 1", &service.to_string()], 32);
    service["labels"] = labels(&agent.org_id, &agent.id);
    service["labels"][SPEC] = json!(spec);
    service
}

/// Whether the service was made for this agent.
pub(super) fn is_of(service: &Value, org_id: &OrgId, id: &AgentId) -> bool {
    let labels = labels(org_id, id);
    let mut labels = labels.as_object().into_iter().flatten();
    labels.all(|(name, value)| service["labels"][name] == *value)
}

/// Whether Cloud Run was told to make the service so.
pub(super) fn is_as(service: &Value, wanted: &Value) -> bool {
    service["labels"][SPEC] == wanted["labels"][SPEC]
}

/// Whether it is being deleted.
pub(super) fn is_going(service: &Value) -> bool {
    service["deleteTime"].is_string()
}

/// How far a service is that is as wanted. Its condition is only about what was asked for last
/// once that was observed.
pub(super) fn progress(service: &Value, agent: &Agent, now: Timestamp) -> Progress {
    let is_observed = service["generation"] == service["observedGeneration"];
    if !is_observed || service["reconciling"] == true {
        return Progress::Pending;
    }
    let condition = &service["terminalCondition"];
    match condition["state"].as_str() {
        Some("CONDITION_SUCCEEDED") => Progress::Ready(AgentRuntime::Container {
            service: service_id(&agent.id),
            uri: service["uri"].as_str().map(str::to_owned),
            revision: revision(agent),
            deployed_at: now,
        }),
        Some("CONDITION_FAILED") => Progress::Failed(failure(condition)),
        _ => Progress::Pending,
    }
}

/// The message is for the operator: it may name images and accounts.
fn failure(condition: &Value) -> String {
    let message = condition["message"].as_str().unwrap_or_default();
    tracing::warn!(
        failure = message,
        "an agent's service does not become ready"
    );
    let reasons = [&condition["revisionReason"], &condition["reason"]];
    let reason = reasons.into_iter().find_map(Value::as_str);
    match reason {
        Some(reason) => format!("the container did not become ready: {reason}"),
        None => "the container did not become ready".to_owned(),
    }
}

fn labels(org_id: &OrgId, id: &AgentId) -> Value {
    json!({
        MANAGED_BY: MANAGER,
        AGENT: label(id.as_str()),
        ORGANIZATION: label(org_id.as_str()),
    })
}

/// An id as a label, or its fingerprint where it cannot be one.
fn label(id: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    match id.len() <= MAX_LABEL_LEN && id.chars().all(is_allowed) {
        true => id.to_owned(),
        false => shortened(&["label 1", id], 32),
    }
}

fn shortened(parts: &[&str], len: usize) -> String {
    let mut digits = fingerprint(parts);
    digits.truncate(len);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// <https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services/create>.
    #[test]
    fn every_agent_has_an_id_of_its_own_that_cloud_run_takes() {
        let ids = ["a1", "a2", "A1", "a:1", "a.1", &"x".repeat(128)];
        let mut services: Vec<String> = ids
            .iter()
            .map(|id| service_id(&AgentId::parse(*id).unwrap()))
            .collect();
        for id in &services {
            assert!(id.len() < 50 && id.starts_with("agent-"), "{id}");
            let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(id.chars().all(is_allowed) && !id.ends_with('-'), "{id}");
        }
        services.sort_unstable();
        services.dedup();
        assert_eq!(services.len(), ids.len());
    }

    #[test]
    fn labels_tell_ids_apart_that_cannot_be_labels() {
        assert_eq!(label("0190-a"), "0190-a");
        let labels = ["A", "a.b", "a:b", &"x".repeat(64)].map(label);
        for (index, one) in labels.iter().enumerate() {
            assert!(one.len() == 32, "{one}");
            assert!(!labels[..index].contains(one), "{one}");
        }
    }

    #[test]
    fn a_condition_is_believed_once_the_last_change_was_observed() {
        let agent = agent();
        let at = |generation: &str, reconciling: bool, state: &str| {
            let service = json!({
                "generation": generation, "observedGeneration": "2", "reconciling": reconciling,
                "terminalCondition": {
                    "state": state, "message": "secret", "reason": "PROGRESS_DEADLINE_EXCEEDED",
                },
            });
            progress(&service, &agent, now())
        };
        let is_ready = |progress| matches!(progress, Progress::Ready(_));
        assert!(is_ready(at("2", false, "CONDITION_SUCCEEDED")));
        for (generation, reconciling, state) in [
            ("3", false, "CONDITION_SUCCEEDED"),
            ("3", false, "CONDITION_FAILED"),
            ("2", true, "CONDITION_SUCCEEDED"),
            ("2", false, "CONDITION_RECONCILING"),
        ] {
            assert_eq!(
                at(generation, reconciling, state),
                Progress::Pending,
                "{state}"
            );
        }
        let failed = "the container did not become ready: PROGRESS_DEADLINE_EXCEEDED";
        let failed = Progress::Failed(failed.to_owned());
        assert_eq!(at("2", false, "CONDITION_FAILED"), failed);
    }

    fn now() -> Timestamp {
        let now: jiff::Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        now.into()
    }

    fn agent() -> Agent {
        let agent = json!({
            "id": "a1", "orgId": "o1", "name": "Ada", "type": "custom", "industry": "tech",
            "personality": { "empathy": 0.5, "confidence": 0.5, "style": "brief" },
            "voiceConfig": { "model": "alloy", "speed": 1, "pitch": 0 },
            "status": "paused", "memoryDepth": "session", "deployState": "provisioning",
            "systemPrompt": "", "model": "default", "createdAt": now(), "updatedAt": now(),
        });
        serde_json::from_value(agent).unwrap()
    }
}
