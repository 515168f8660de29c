use std::fmt;

use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, crypto};
use serde_json::{Map, Value};

use super::{Error, keys::KeySet, token::Token};
use crate::{ids::Uid, models::Timestamp};

/// How far another machine's clock may run ahead of ours, as in the Go Admin SDK
/// (<https://github.com/firebase/firebase-admin-go/blob/master/auth/token_verifier.go>).
const SKEW_SECS: i64 = 300;

/// What a verified ID token says about its bearer.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims {
    /// The user.
    pub uid: Uid,
    /// The e-mail address in lower case.
    pub email: Option<String>,
    /// Whether the user has shown to own the address.
    pub email_verified: bool,
    /// The display name.
    pub name: Option<String>,
    /// When the user last signed in with credentials.
    pub auth_time: Timestamp,
    /// When the token was issued.
    pub issued_at: Timestamp,
    /// When the token stops being valid.
    pub expires_at: Timestamp,
    /// How the user signed in: `password`, `google.com`.
    pub sign_in_provider: Option<String>,
}

impl fmt::Debug for Claims {
    /// Leaves out the name and the address: they are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("uid", &self.uid)
            .field("email_verified", &self.email_verified)
            .field("auth_time", &self.auth_time)
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .field("sign_in_provider", &self.sign_in_provider)
            .finish_non_exhaustive()
    }
}

/// Verifies a Firebase ID token: <https://firebase.google.com/docs/auth/admin/verify-id-tokens>,
/// where the documentation is stricter than the SDKs.
///
/// # Errors
/// Returns the first thing that is not as it must be.
pub fn verify(
    token: &str,
    now: jiff::Timestamp,
    keys: &KeySet,
    project_id: &str,
) -> Result<Claims, Error> {
    Candidate::check(token, now, project_id)?.confirm(keys)
}

/// A token that is right in everything but its signature, which is not checked yet.
pub(super) struct Candidate<'a> {
    token: Token<'a>,
    claims: Claims,
}

impl<'a> Candidate<'a> {
    pub(super) fn check(
        token: &'a str,
        now: jiff::Timestamp,
        project_id: &str,
    ) -> Result<Self, Error> {
        let token = Token::parse(token)?;
        if token.algorithm() != Some("RS256") {
            return Err(Error::Algorithm);
        }
        token.key_id()?;
        let claims = check_payload(&token.payload, now, project_id)?;
        Ok(Self { token, claims })
    }

    pub(super) fn key_id(&self) -> Result<&str, Error> {
        self.token.key_id()
    }

    pub(super) fn confirm(self, keys: &KeySet) -> Result<Claims, Error> {
        let key = keys.get(self.key_id()?).ok_or(Error::UnknownKey)?;
        let Token {
            signed, signature, ..
        } = self.token;
        match crypto::verify(signature, signed.as_bytes(), key, Algorithm::RS256) {
            Ok(true) => Ok(self.claims),
            _ => Err(Error::Signature),
        }
    }
}

/// Verifies a token of the Auth emulator: the same claims, but no signature.
pub(super) fn check_unsigned(
    token: &str,
    now: jiff::Timestamp,
    project_id: &str,
) -> Result<Claims, Error> {
    let token = Token::parse(token)?;
    if token.algorithm() != Some("none") {
        return Err(Error::Algorithm);
    }
    if !token.signature.is_empty() {
        return Err(Error::Signature);
    }
    check_payload(&token.payload, now, project_id)
}

fn check_payload(
    payload: &Map<String, Value>,
    now: jiff::Timestamp,
    project_id: &str,
) -> Result<Claims, Error> {
    let claims = Payload(payload);
    if claims.text("aud")? != Some(project_id) {
        return Err(Error::Claim("aud"));
    }
    let issuer = format!("https://securetoken.google.com/{project_id}");
    if claims.text("iss")? != Some(&issuer) {
        return Err(Error::Claim("iss"));
    }
    let uid = claims.text("sub")?.and_then(|sub| Uid::parse(sub).ok());
    Ok(Claims {
        uid: uid.ok_or(Error::Claim("sub"))?,
        expires_at: claims.future_instant("exp", now)?,
        issued_at: claims.past_instant("iat", now)?,
        auth_time: claims.past_instant("auth_time", now)?,
        email: claims.text("email")?.and_then(lower_case),
        email_verified: claims.flag("email_verified")?,
        name: claims.text("name")?.map(str::to_owned),
        sign_in_provider: claims.sign_in_provider()?,
    })
}

struct Payload<'a>(&'a Map<String, Value>);

impl<'a> Payload<'a> {
    fn text(&self, name: &'static str) -> Result<Option<&'a str>, Error> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::Claim(name)),
        }
    }

    fn flag(&self, name: &'static str) -> Result<bool, Error> {
        match self.0.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Error::Claim(name)),
        }
    }

    /// Whole seconds: Firebase issues no fractions.
    fn instant(&self, name: &'static str) -> Result<jiff::Timestamp, Error> {
        let seconds = self.0.get(name).and_then(Value::as_i64);
        seconds
            .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
            .ok_or(Error::Claim(name))
    }

    /// No leeway here: it would only prolong a token's life, and the client SDKs renew theirs five
    /// minutes before the end.
    fn future_instant(&self, name: &'static str, now: jiff::Timestamp) -> Result<Timestamp, Error> {
        let instant = self.instant(name)?;
        if instant <= now {
            return Err(Error::Expired);
        }
        Ok(instant.into())
    }

    fn past_instant(&self, name: &'static str, now: jiff::Timestamp) -> Result<Timestamp, Error> {
        let instant = self.instant(name)?;
        if instant.duration_since(now) > SignedDuration::from_secs(SKEW_SECS) {
            return Err(Error::Claim(name));
        }
        Ok(instant.into())
    }

    fn sign_in_provider(&self) -> Result<Option<String>, Error> {
        let Some(firebase) = self.0.get("firebase") else {
            return Ok(None);
        };
        let firebase = firebase.as_object().ok_or(Error::Claim("firebase"))?;
        let provider = Payload(firebase).text("sign_in_provider")?;
        Ok(provider.map(str::to_owned))
    }
}

fn lower_case(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests;
