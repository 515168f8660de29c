use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use crate::document_db::PROJECT_ID;

/// Who asks. Users are documents of [`World`](super::world::World); nobody is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    /// The roles of organization `o1`.
    Admin,
    User,
    Viewer,
    /// An administrator of organization `o2`.
    Foreign,
    /// An administrator of `o1` that is locked out.
    Disabled,
    /// Like `Disabled`, but the field is the text `true`.
    OddlyDisabled,
    /// Signed in, without a document.
    Newcomer,
    /// A document with the role `owner`.
    UnknownRole,
    /// A document with a list of roles.
    ListOfRoles,
    /// Administrators whose organization is `""`, `null` or absent.
    EmptyOrganization,
    NullOrganization,
    NoOrganization,
    /// Not signed in.
    Nobody,
}

/// Everybody who must get nothing of organization `o1`.
pub(super) const OUTSIDERS: [Actor; 10] = [
    Actor::Foreign,
    Actor::Disabled,
    Actor::OddlyDisabled,
    Actor::Newcomer,
    Actor::UnknownRole,
    Actor::ListOfRoles,
    Actor::EmptyOrganization,
    Actor::NullOrganization,
    Actor::NoOrganization,
    Actor::Nobody,
];

pub(super) const MEMBERS: [Actor; 3] = [Actor::Admin, Actor::User, Actor::Viewer];

pub(super) const EDITORS: [Actor; 2] = [Actor::Admin, Actor::User];

impl Actor {
    /// The name of the variant.
    pub(super) fn uid(self) -> String {
        format!("{self:?}")
    }

    /// An unsigned ID token, which the emulator takes at its word. It always claims to be an
    /// administrator of `o1`: claims decide nothing.
    pub(super) fn token(self) -> Option<String> {
        let header = json!({ "alg": "none", "typ": "JWT" });
        let payload = json!({
            "sub": self.uid(),
            "user_id": self.uid(),
            "aud": PROJECT_ID,
            "iss": format!("https://securetoken.google.com/{PROJECT_ID}"),
            "iat": 1_795_000_000,
            "auth_time": 1_795_000_000,
            "exp": 4_102_444_800_i64,
            "email": "ada@example.com",
            "email_verified": true,
            "firebase": { "sign_in_provider": "password", "identities": {} },
            "role": "admin",
            "admin": true,
            "orgId": "o1",
            "organizationId": "o1",
        });
        let encode = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let token = format!("{}.{}.", encode(&header), encode(&payload));
        (self != Self::Nobody).then_some(token)
    }
}
