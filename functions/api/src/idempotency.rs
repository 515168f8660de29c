use serde::{Serialize, de::DeserializeOwned};
use shared::{
    ids::{OrgId, TriggerId, WorkflowId, fingerprint},
    models::{IdempotencyRecord, Principal, Timestamp},
    store::{Store, Write, commit_contended, idempotency},
};

use crate::error::{Error, Refusal};

/// How long an answer is kept at least. Firestore deletes it some time after
/// (<https://firebase.google.com/docs/firestore/ttl>).
const KEPT_SECS: i64 = 24 * 60 * 60;

/// A request that has its effect once, however often it comes.
pub(crate) struct Once {
    org_id: OrgId,
    now: Timestamp,
    key: Option<Key>,
}

/// What was made, and whether an earlier request did it.
#[derive(Debug)]
pub(crate) struct Done<T> {
    pub(crate) value: T,
    pub(crate) is_replay: bool,
}

impl<T> Done<T> {
    /// The same of what `change` makes of the value.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Done<U> {
        Done {
            value: change(self.value),
            is_replay: self.is_replay,
        }
    }
}

struct Key {
    record: String,
    trigger_id: TriggerId,
    request_hash: String,
}

impl Once {
    /// A request to `endpoint`, which is equal for all paths that do the same, with the client's
    /// idempotency key, if it has sent one. Without a key each request is a new one.
    pub(crate) fn new<T: Serialize>(
        endpoint: &str,
        principal: &Principal,
        key: Option<&str>,
        request: &T,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let (org_id, uid) = (principal.org_id.as_str(), principal.uid.as_str());
        let request = serde_json::to_string(request)?;
        let key = key.map(|key| Key {
            record: fingerprint(&["request", endpoint, org_id, uid, key]),
            trigger_id: TriggerId::derive(&["api", org_id, uid, endpoint, key]),
            request_hash: fingerprint(&[&request]),
        });
        Ok(Self {
            org_id: principal.org_id.clone(),
            now,
            key,
        })
    }

    /// The same for what a caller does with its own account: the key stays its own when the account
    /// moves to another organization.
    pub(crate) fn of_account<T: Serialize>(
        endpoint: &str,
        principal: &Principal,
        key: Option<&str>,
        request: &T,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let account = Principal {
            org_id: OrgId::derive(&["account", principal.uid.as_str()]),
            ..principal.clone()
        };
        Self::new(endpoint, &account, key, request, now)
    }

    /// A request to a webhook, whose key is the sender's own.
    pub(crate) fn of_hook<T: Serialize>(
        org_id: &OrgId,
        workflow_id: &WorkflowId,
        hook_id: &str,
        key: Option<&str>,
        request: &T,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let request = serde_json::to_string(request)?;
        let key = key.map(|key| {
            let parts = ["webhook", workflow_id.as_str(), hook_id, key];
            Key {
                record: fingerprint(&parts),
                trigger_id: TriggerId::derive(&parts),
                request_hash: fingerprint(&[&request]),
            }
        });
        Ok(Self {
            org_id: org_id.clone(),
            now,
            key,
        })
    }

    /// The id of the trigger, if the client has sent a key: the same for every repeat.
    pub(crate) fn trigger_id(&self) -> Option<&TriggerId> {
        self.key.as_ref().map(|key| &key.trigger_id)
    }

    /// Commits what `build` makes of a fresh read together with a record of the answer, or answers
    /// from the record. No writes mean that there is nothing to do; the answer is kept all the same.
    ///
    /// After a lost race it begins anew: against the same request, which then has its answer, or
    /// against another one for the same document.
    pub(crate) async fn commit<T, F, Fut>(&self, store: &Store, build: F) -> Result<Done<T>, Error>
    where
        T: Serialize + DeserializeOwned,
        F: Fn() -> Fut,
        Fut: Future<Output = Result<(Vec<Write>, T), Error>>,
    {
        let build = &build;
        commit_contended(store, || async move {
            // Looked for after the decision: a twin of this request that took the last place in a
            // quota has left its answer.
            let built = build().await;
            if let Some(value) = self.find_answer(store).await? {
                let is_replay = true;
                return Ok((Vec::new(), Done { value, is_replay }));
            }
            let (mut writes, value) = built?;
            writes.extend(self.record(&value)?);
            let is_replay = false;
            Ok((writes, Done { value, is_replay }))
        })
        .await
    }

    /// The answer, if an earlier request has had its effect: for what is asked of others first, and
    /// must not be asked again.
    pub(crate) async fn replay<T: DeserializeOwned>(
        &self,
        store: &Store,
    ) -> Result<Option<Done<T>>, Error> {
        let value = self.find_answer(store).await?;
        let is_replay = true;
        Ok(value.map(|value| Done { value, is_replay }))
    }

    async fn find_answer<T: DeserializeOwned>(&self, store: &Store) -> Result<Option<T>, Error> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let record = store
            .find_idempotency_record(&self.org_id, &key.record)
            .await?;
        let Some(record) = record else {
            return Ok(None);
        };
        if record.request_hash != key.request_hash {
            return Err(Refusal::KEY_REUSED.into());
        }
        Ok(Some(serde_json::from_value(record.body.0)?))
    }

    fn record<T: Serialize>(&self, value: &T) -> Result<Option<Write>, Error> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let record = IdempotencyRecord {
            org_id: self.org_id.clone(),
            request_hash: key.request_hash.clone(),
            body: serde_json::to_value(value)?.into(),
            expires_at: self.now.plus_seconds(KEPT_SECS),
        };
        Ok(Some(idempotency::create_record(&key.record, &record)?))
    }
}
