use std::{collections::HashMap, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;
use shared::{
    crypto::{self, MacKey, SecretTag, TAG_BYTES, message},
    ids::{OrgId, WorkflowId},
};
use subtle::ConstantTimeEq;
use tokio::sync::RwLock;

/// Keys of organizations kept at once; each is 32 bytes.
const MAX_KEPT: usize = 10_000;

/// What the requests to a webhook are signed with.
pub(crate) type Secret = SecretTag;

/// Derives tokens and secrets of webhooks from a key that this process never sees, so that none of
/// them is kept anywhere. Each organization has a key of its own, derived once.
#[derive(Clone)]
pub(crate) struct HookKeys {
    source: Arc<dyn MacKey>,
    kept: Arc<RwLock<HashMap<OrgId, Arc<OrgHookKey>>>>,
}

/// The key that all webhooks of one organization come from.
pub(crate) struct OrgHookKey(SecretTag);

impl HookKeys {
    /// Keys that nobody derives without `source`.
    pub(crate) fn new(source: Arc<dyn MacKey>) -> Self {
        let kept = Arc::default();
        Self { source, kept }
    }

    pub(crate) async fn of(&self, org_id: &OrgId) -> Result<Arc<OrgHookKey>, crypto::Error> {
        if let Some(key) = self.kept.read().await.get(org_id) {
            return Ok(Arc::clone(key));
        }
        let parts: [&[u8]; 2] = [b"infinity-x webhooks", org_id.as_str().as_bytes()];
        let key = Arc::new(OrgHookKey(self.source.sign(&message(&parts)).await?));
        let mut kept = self.kept.write().await;
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(org_id.clone(), Arc::clone(&key));
        Ok(key)
    }
}

impl OrgHookKey {
    /// What the address of a webhook ends with: 64 hexadecimal digits.
    pub(crate) fn token(&self, workflow_id: &WorkflowId, hook_id: &str) -> SecretString {
        let tag = self.derive(b"token", workflow_id, hook_id);
        hex::encode(tag.expose_secret()).into()
    }

    /// Whether the text is the token of a webhook, in a time that does not tell how much of it is.
    pub(crate) fn is_token(&self, workflow_id: &WorkflowId, hook_id: &str, text: &str) -> bool {
        let token = self.token(workflow_id, hook_id);
        let token = token.expose_secret().as_bytes();
        token.ct_eq(text.as_bytes()).into()
    }

    /// What the requests to a webhook are signed with, if they have to be.
    pub(crate) fn secret(&self, workflow_id: &WorkflowId, hook_id: &str) -> Secret {
        self.derive(b"secret", workflow_id, hook_id)
    }

    fn derive(&self, purpose: &[u8], workflow_id: &WorkflowId, hook_id: &str) -> SecretTag {
        let parts = [purpose, workflow_id.as_str().as_bytes(), hook_id.as_bytes()];
        let tag = hmac_sha256(self.0.expose_secret(), &message(&parts));
        SecretBox::new(Box::new(tag))
    }
}

/// HMAC-SHA256 (RFC 2104), which takes keys of any length.
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; TAG_BYTES] {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length");
    };
    mac.chain_update(message).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use shared::crypto::LocalMac;

    use super::*;

    async fn token(key: &str, org_id: &str, workflow_id: &str, hook_id: &str) -> String {
        let keys = HookKeys::new(Arc::new(LocalMac::new(key.into())));
        let key = keys.of(&org_id.parse().unwrap()).await.unwrap();
        let token = key.token(&workflow_id.parse().unwrap(), hook_id);
        token.expose_secret().to_owned()
    }

    #[tokio::test]
    async fn each_webhook_has_its_own_token_each_time() {
        let token_of_all = token("k", "o1", "w1", "a").await;
        assert_eq!(token("k", "o1", "w1", "a").await, token_of_all);
        for other in [
            token("l", "o1", "w1", "a").await,
            token("k", "o2", "w1", "a").await,
            token("k", "o1", "w2", "a").await,
            token("k", "o1", "w1", "b").await,
        ] {
            assert_ne!(other, token_of_all);
        }
    }

    #[tokio::test]
    async fn the_secret_is_not_the_token() {
        let keys = HookKeys::new(Arc::new(LocalMac::new("k".into())));
        let key = keys.of(&"o1".parse().unwrap()).await.unwrap();
        let workflow_id = "w1".parse().unwrap();
        let secret = hex::encode(key.secret(&workflow_id, "a").expose_secret());
        assert!(!key.is_token(&workflow_id, "a", &secret));
    }

    #[tokio::test]
    async fn only_the_whole_token_counts() {
        let token = token("k", "o1", "w1", "a").await;
        let keys = HookKeys::new(Arc::new(LocalMac::new("k".into())));
        let key = keys.of(&"o1".parse().unwrap()).await.unwrap();
        let workflow_id = "w1".parse().unwrap();
        let is_token = |text: &str| key.is_token(&workflow_id, "a", text);
        assert!(is_token(&token));
        let (cut, upper) = (&token[..63], token.to_uppercase());
        for text in ["", cut, &upper, &format!("{token}0")] {
            assert!(!is_token(text), "{text}");
        }
    }
}
