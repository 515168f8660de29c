use std::{collections::HashMap, fmt::Write as _, sync::Arc};

use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::RwLock;

use crate::{
    crypto::{self, MacKey, SecretTag, hmac_sha256, message},
    ids::OrgId,
    models::AuditLog,
};

/// What the tags of this format begin with; another format gets another text.
const FORMAT: &[u8] = b"infinity-x audit record 1";

/// Chain keys kept at once; each is 32 bytes.
const MAX_KEPT: usize = 10_000;

/// The keys of the organizations' chains, each derived once.
pub(super) struct Keys {
    source: Arc<dyn MacKey>,
    kept: RwLock<HashMap<OrgId, Arc<ChainKey>>>,
}

/// The key of one organization's chain.
pub(super) struct ChainKey(SecretTag);

impl Keys {
    pub(super) fn new(source: Arc<dyn MacKey>) -> Self {
        Self {
            source,
            kept: RwLock::default(),
        }
    }

    /// The key that all chain keys come from.
    pub(super) fn version(&self) -> &str {
        self.source.version()
    }

    pub(super) async fn of(&self, org_id: &OrgId) -> Result<Arc<ChainKey>, crypto::Error> {
        if let Some(key) = self.kept.read().await.get(org_id) {
            return Ok(Arc::clone(key));
        }
        let parts: [&[u8]; 2] = [b"infinity-x audit chain", org_id.as_str().as_bytes()];
        let key = Arc::new(ChainKey(self.source.sign(&message(&parts)).await?));
        let mut kept = self.kept.write().await;
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(org_id.clone(), Arc::clone(&key));
        Ok(key)
    }
}

impl ChainKey {
    /// What stands for a person in the record's tag: nobody can tell who without the key.
    pub(super) fn pseudonym(&self, actor_id: &str) -> String {
        self.tag(&[b"infinity-x audit actor 1", actor_id.as_bytes()])
    }

    /// The record's tag, over every field but the two that an erasure replaces.
    pub(super) fn mac(&self, record: &AuditLog) -> String {
        self.mac_at(record, record.seq)
    }

    /// The tag that the record would have at another place of the chain.
    pub(super) fn mac_at(&self, record: &AuditLog, seq: i64) -> String {
        let subject = record.subject_pseudonym.as_deref();
        let micros = record.timestamp.instant().as_microsecond();
        self.tag(&[
            FORMAT,
            record.org_id.as_str().as_bytes(),
            &seq.to_be_bytes(),
            record.prev_mac.as_bytes(),
            record.id.as_str().as_bytes(),
            record.actor_pseudonym.as_bytes(),
            &[u8::from(subject.is_some())],
            subject.unwrap_or_default().as_bytes(),
            record.action.as_str().as_bytes(),
            canonical(&record.metadata.0).as_bytes(),
            &micros.to_be_bytes(),
            record.key_version.as_bytes(),
        ])
    }

    fn tag(&self, parts: &[&[u8]]) -> String {
        hex::encode(hmac_sha256(self.0.expose_secret(), &message(parts)))
    }
}

/// JSON with the keys of every object in order: how a map is kept in memory must not matter.
fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(&mut text, value);
    text
}

fn write_canonical(text: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_canonical(text, item);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in fields {
                // Writing to a string cannot fail.
                let _ = write!(text, "{}:", Value::from(name.as_str()));
                write_canonical(text, value);
                text.push(',');
            }
            text.push('}');
        }
        scalar => {
            let _ = write!(text, "{scalar}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_and_the_rest_does() {
        let text = canonical(&json!({ "b": [1, { "d": null, "c": "x" }], "a": true }));
        assert_eq!(text, r#"{"a":true,"b":[1,{"c":"x","d":null,},],}"#);
        assert_ne!(canonical(&json!([1, 2])), canonical(&json!([2, 1])));
        assert_ne!(
            canonical(&json!({ "a": "1" })),
            canonical(&json!({ "a": 1 }))
        );
    }
}
