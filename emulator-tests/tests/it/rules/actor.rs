use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use crate::document_db::PROJECT_ID;

/// When everybody signed in, in seconds since 1970.
pub(super) const SIGNED_IN_AT: i64 = 1_795_000_000;

/// Who asks. Users are documents of [`World`](super::world::World); nobody is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Actor {
    /// The roles of organization `o1`.
    Admin,
    User,
    Viewer,
    /// An administrator of `o1` that logged out everywhere and signed in again in that second.
    SignedInAgain,
    /// An administrator of organization `o2`.
    Foreign,
    /// An administrator of `o1` that is locked out.
    Disabled,
    /// Like `Disabled`, but the field is the text `true`.
    OddlyDisabled,
    /// An administrator of `o1` that has logged out everywhere since.
    LoggedOut,
    /// Like `LoggedOut`, but the field is a number, and one that has passed.
    OddlyLoggedOut,
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

pub(super) const ADMINS: [Actor; 2] = [Actor::Admin, Actor::SignedInAgain];

pub(super) const EDITORS: [Actor; 3] = [Actor::Admin, Actor::SignedInAgain, Actor::User];

pub(super) const MEMBERS: [Actor; 4] = [
    Actor::Admin,
    Actor::SignedInAgain,
    Actor::User,
    Actor::Viewer,
];

/// Members first, then those who must get nothing of organization `o1`.
pub(super) const EVERYBODY: [Actor; 16] = [
    Actor::Admin,
    Actor::SignedInAgain,
    Actor::User,
    Actor::Viewer,
    Actor::Foreign,
    Actor::Disabled,
    Actor::OddlyDisabled,
    Actor::LoggedOut,
    Actor::OddlyLoggedOut,
    Actor::Newcomer,
    Actor::UnknownRole,
    Actor::ListOfRoles,
    Actor::EmptyOrganization,
    Actor::NullOrganization,
    Actor::NoOrganization,
    Actor::Nobody,
];

impl Actor {
    /// The name of the variant.
    pub(super) fn uid(self) -> String {
        format!("{self:?}")
    }

    /// An unsigned ID token, which the emulator takes at its word. It always claims to be an
    /// administrator of `o1`: claims decide nothing. The SDK has refreshed it since the sign-in.
    pub(super) fn token(self) -> Option<String> {
        let header = json!({ "alg": "none", "typ": "JWT" });
        let payload = json!({
            "sub": self.uid(),
            "user_id": self.uid(),
            "aud": PROJECT_ID,
            "iss": format!("https://securetoken.google.com/{PROJECT_ID}"),
            "iat": SIGNED_IN_AT + 1_800,
            "auth_time": SIGNED_IN_AT,
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
