use jsonwebtoken::{Algorithm, crypto};

use super::{Error, keys::KeySet, payload::Payload, token::Token};

/// A token that is right in everything but its signature, which is not checked yet: no keys are
/// fetched for one that is wrong anyway.
pub(super) struct Candidate<'a, C> {
    token: Token<'a>,
    claims: C,
}

impl<'a, C> Candidate<'a, C> {
    pub(super) fn check(
        text: &'a str,
        check_claims: impl FnOnce(&Payload<'_>) -> Result<C, Error>,
    ) -> Result<Self, Error> {
        let token = Token::parse(text)?;
        if token.algorithm() != Some("RS256") {
            return Err(Error::Algorithm);
        }
        token.key_id()?;
        let claims = check_claims(&Payload(&token.payload))?;
        Ok(Self { token, claims })
    }

    pub(super) fn key_id(&self) -> Result<&str, Error> {
        self.token.key_id()
    }

    pub(super) fn signature(&self) -> &str {
        self.token.signature
    }

    pub(super) fn confirm(self, keys: &KeySet) -> Result<C, Error> {
        let key = keys.get(self.key_id()?).ok_or(Error::UnknownKey)?;
        let Token {
            signed, signature, ..
        } = self.token;
        match crypto::verify(signature, signed.as_bytes(), key, Algorithm::RS256) {
            Ok(true) => Ok(self.claims),
            _ => Err(Error::Signature),
        }
    }

    /// The claims, whose signature somebody else has checked.
    pub(super) fn trust(self) -> C {
        self.claims
    }
}
