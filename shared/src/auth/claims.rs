use std::fmt;

use super::{Error, candidate::Candidate, keys::ProjectKeys, payload::Payload, token::Token};
use crate::{ids::Uid, models::Timestamp};

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
pub fn verify(token: &str, now: jiff::Timestamp, keys: ProjectKeys<'_>) -> Result<Claims, Error> {
    check_signed(token, now, keys.project_id)?.confirm(keys.keys)
}

/// A token of the project that is right in everything but its signature.
pub(super) fn check_signed<'a>(
    token: &'a str,
    now: jiff::Timestamp,
    project_id: &str,
) -> Result<Candidate<'a, Claims>, Error> {
    Candidate::check(token, |payload| check_payload(payload, now, project_id))
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
    check_payload(&Payload(&token.payload), now, project_id)
}

fn check_payload(
    claims: &Payload<'_>,
    now: jiff::Timestamp,
    project_id: &str,
) -> Result<Claims, Error> {
    claims.require("aud", &[project_id])?;
    let issuer = format!("https://securetoken.google.com/{project_id}");
    claims.require("iss", &[&issuer])?;
    let uid = Uid::parse(claims.required_text("sub")?);
    claims.require_begun(now)?;
    Ok(Claims {
        uid: uid.map_err(|_| Error::Claim("sub"))?,
        expires_at: claims.future_instant("exp", now)?,
        issued_at: claims.past_instant("iat", now)?,
        auth_time: claims.past_instant("auth_time", now)?,
        email: claims.text("email")?.and_then(lower_case),
        email_verified: claims.flag("email_verified")?,
        name: claims.text("name")?.map(str::to_owned),
        sign_in_provider: sign_in_provider(claims)?,
    })
}

fn sign_in_provider(claims: &Payload<'_>) -> Result<Option<String>, Error> {
    let Some(firebase) = claims.object("firebase")? else {
        return Ok(None);
    };
    let provider = firebase.text("sign_in_provider")?;
    Ok(provider.map(str::to_owned))
}

fn lower_case(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_lowercase())
}
