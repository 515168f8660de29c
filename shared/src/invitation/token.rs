use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::{
    crypto::{self, MacKey, TAG_BYTES, message},
    ids::{OrgId, RecordId, fingerprint},
    models::Invitation,
};

/// What the secret of a token is the tag of, before organization and invitation.
const FORMAT: &[u8] = b"infinity-x invitation";

/// A token as somebody presents it: `<orgId>.<invitationId>.<64 hexadecimal digits>`.
pub struct Token {
    org_id: OrgId,
    id: RecordId,
    hash: String,
}

impl Token {
    /// Reads a token; none when the text cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // From the right: the id of an organization may have dots.
        let mut parts = text.rsplitn(3, '.');
        let secret = parts.next()?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if secret.len() != 2 * TAG_BYTES || !secret.bytes().all(is_digit) {
            return None;
        }
        Some(Self {
            id: RecordId::parse(parts.next()?).ok()?,
            org_id: OrgId::parse(parts.next()?).ok()?,
            hash: hash(text),
        })
    }

    /// The organization that it names.
    #[must_use]
    pub fn org_id(&self) -> &OrgId {
        &self.org_id
    }

    /// The invitation that it names.
    #[must_use]
    pub fn invitation_id(&self) -> &RecordId {
        &self.id
    }

    /// Whether it is the token of this invitation.
    #[must_use]
    pub fn opens(&self, invitation: &Invitation) -> bool {
        let expected = invitation.token_hash.as_bytes();
        self.hash.as_bytes().ct_eq(expected).into()
    }
}

/// Makes the tokens of invitations: the same one for an invitation each time, so that it is kept
/// nowhere.
#[derive(Clone)]
pub struct Tokens {
    key: Arc<dyn MacKey>,
}

impl Tokens {
    /// Tokens that nobody makes without `key`.
    #[must_use]
    pub fn new(key: Arc<dyn MacKey>) -> Self {
        Self { key }
    }

    /// What the invitation keeps of its token.
    ///
    /// # Errors
    /// Returns the error of the key.
    pub async fn hash(&self, org_id: &OrgId, id: &RecordId) -> Result<String, crypto::Error> {
        let token = self.make(org_id, id).await?;
        Ok(hash(token.expose_secret()))
    }

    /// The token of an invitation.
    pub(super) async fn make(
        &self,
        org_id: &OrgId,
        id: &RecordId,
    ) -> Result<SecretString, crypto::Error> {
        let parts = [FORMAT, org_id.as_str().as_bytes(), id.as_str().as_bytes()];
        let tag = self.key.sign(&message(&parts)).await?;
        let secret = hex::encode(tag.expose_secret());
        Ok(format!("{org_id}.{id}.{secret}").into())
    }
}

fn hash(token: &str) -> String {
    fingerprint(&["invitation", token])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::LocalMac, ids::Uid, models::Role};

    fn tokens(key: &str) -> Tokens {
        Tokens::new(Arc::new(LocalMac::new(key.into())))
    }

    async fn made(key: &str, org_id: &str, id: &str) -> String {
        let (org_id, id) = (org_id.parse().unwrap(), id.parse().unwrap());
        let token = tokens(key).make(&org_id, &id).await.unwrap();
        token.expose_secret().to_owned()
    }

    async fn invitation() -> Invitation {
        let (org_id, id): (OrgId, RecordId) = ("o.1".parse().unwrap(), "i1".parse().unwrap());
        let epoch = jiff::Timestamp::UNIX_EPOCH.into();
        Invitation {
            token_hash: tokens("k").hash(&org_id, &id).await.unwrap(),
            id,
            org_id,
            email: "ada@example.com".to_owned(),
            role: Role::User,
            invited_by: Uid::parse("u1").unwrap(),
            expires_at: epoch,
            created_at: epoch,
        }
    }

    #[tokio::test]
    async fn a_token_leads_to_its_invitation_and_opens_it() {
        let token = Token::parse(&made("k", "o.1", "i1").await).unwrap();
        assert_eq!(token.org_id().as_str(), "o.1");
        assert_eq!(token.invitation_id().as_str(), "i1");
        assert!(token.opens(&invitation().await));
    }

    #[tokio::test]
    async fn tokens_of_another_key_organization_or_invitation_open_nothing() {
        let invitation = invitation().await;
        let good = made("k", "o.1", "i1").await;
        let (start, secret) = good.rsplit_once('.').unwrap();
        let foreign = [
            made("other", "o.1", "i1").await,
            made("k", "o", "1.i1").await,
            made("k", "o.1", "i2").await,
            format!("o.2.i1.{secret}"),
            format!("{start}.{}", "0".repeat(64)),
        ];
        for text in foreign {
            assert!(!Token::parse(&text).unwrap().opens(&invitation), "{text}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_a_token_is_none() {
        let good = made("k", "o.1", "i1").await;
        let cut = &good[..good.len() - 1];
        let upper = good.to_uppercase();
        let texts = [
            "",
            "..",
            "a.b.c",
            cut,
            &upper,
            &good[4..],
            &format!("{good}0"),
        ];
        for text in texts {
            assert!(Token::parse(text).is_none(), "{text}");
        }
        assert!(Token::parse(&format!("a/b.i1.{}", "0".repeat(64))).is_none());
    }
}
