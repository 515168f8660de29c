use std::fmt;

use super::{
    CloudEvent, Error,
    json::{self, Members},
};
use crate::ids::Uid;

/// The type of the event for a new user
/// (<https://firebase.google.com/docs/functions/auth-events>).
pub const USER_CREATED: &str = "google.firebase.auth.user.v2.created";

/// A user has signed up.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCreated {
    /// The user.
    pub uid: Uid,
    /// The e-mail address in lower case; absent for anonymous users.
    pub email: Option<String>,
    /// Whether the user has shown to own the address.
    pub email_verified: bool,
    /// The name shown to others.
    pub display_name: Option<String>,
}

impl fmt::Debug for UserCreated {
    /// Leaves out the name and the address: they are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserCreated")
            .field("uid", &self.uid)
            .field("email_verified", &self.email_verified)
            .finish_non_exhaustive()
    }
}

impl UserCreated {
    /// Reads the user from an event of type [`USER_CREATED`]: `AuthEventData` in JSON
    /// (<https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/firebase/auth/v2/data.proto>),
    /// or the bare user as the emulator sends it.
    ///
    /// # Errors
    /// Names the attribute or the member of the data that is not as it must be.
    pub fn parse(event: &CloudEvent) -> Result<Self, Error> {
        if event.kind != USER_CREATED {
            return Err(Error::invalid("type", USER_CREATED));
        }
        let data = json::parse(&event.data)?;
        let data = Members::of(&data, "data")?;
        match data.get("value") {
            Some(value) => read_user(Members::of(value, "data.value")?),
            None => read_user(data),
        }
    }
}

/// JSON leaves out members that are false or empty.
fn read_user(user: Members<'_>) -> Result<UserCreated, Error> {
    let uid = Uid::parse(user.required_text("uid")?);
    let email = user.text("email")?.filter(|email| !email.is_empty());
    let display_name = user.text("displayName")?.filter(|name| !name.is_empty());
    Ok(UserCreated {
        uid: uid.map_err(|_| Error::invalid(user.path("uid"), "a Firebase uid"))?,
        email: email.map(str::to_lowercase),
        email_verified: user.flag("emailVerified")?,
        display_name: display_name.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use serde_json::{Value, json};

    use super::*;

    fn event(kind: &str, data: &Value) -> CloudEvent {
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "e1"),
            ("ce-source", "//firebaseauth.googleapis.com/projects/demo-p"),
            ("ce-type", kind),
            ("content-type", "application/json"),
        ];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        CloudEvent::parse(&HeaderMap::from_iter(headers), data.to_string().into()).unwrap()
    }

    fn parse(data: &Value) -> Result<UserCreated, Error> {
        UserCreated::parse(&event(USER_CREATED, data))
    }

    #[test]
    fn the_user_is_read_from_the_documented_form() {
        let user = parse(&json!({"value": {
            "uid": "u1",
            "email": "Ada@Example.com",
            "emailVerified": true,
            "displayName": "Ada",
            "metadata": {"createTime": "2026-11-23T11:17:01Z"},
            "providerData": [{"uid": "ada@example.com", "providerId": "password"}],
        }}));
        let expected = UserCreated {
            uid: Uid::parse("u1").unwrap(),
            email: Some("ada@example.com".to_owned()),
            email_verified: true,
            display_name: Some("Ada".to_owned()),
        };
        assert!(user.unwrap() == expected);
    }

    #[test]
    fn empty_members_may_be_absent_null_or_empty() {
        let forms = [
            json!({"value": {"uid": "u1"}}),
            json!({"uid": "u1"}),
            json!({"uid": "u1", "email": null, "emailVerified": null, "displayName": null}),
            json!({"value": {"uid": "u1", "email": "", "emailVerified": false, "displayName": ""}}),
        ];
        for data in forms {
            let user = parse(&data).unwrap();
            assert_eq!((user.email, user.display_name), (None, None), "{data}");
            assert!(!user.email_verified);
        }
    }

    #[test]
    fn the_emulator_s_structured_event_is_read() {
        let body = json!({
            "specversion": "1.0",
            "id": "e2",
            "source": "//identitytoolkit.googleapis.com/projects/demo-p",
            "subject": "users/u1",
            "type": USER_CREATED,
            "time": "2026-11-23T11:17:01Z",
            "data": {"value": {
                "uid": "u1",
                "email": "ada@example.com",
                "metadata": {"creationTime": "2026-11-23T11:17:01Z"},
                "providerData": [{"rawId": "ada@example.com", "providerId": "password"}],
                "tenantId": null,
            }},
        });
        let content_type = "application/cloudevents+json; charset=utf-8";
        let headers = [(
            "content-type".parse().unwrap(),
            content_type.parse().unwrap(),
        )];
        let event = CloudEvent::parse(&HeaderMap::from_iter(headers), body.to_string().into());
        let user = UserCreated::parse(&event.unwrap()).unwrap();
        assert_eq!(user.email.as_deref(), Some("ada@example.com"));
    }

    #[test]
    fn a_member_that_is_wrong_is_named() {
        let rows = [
            (json!({"value": {}}), "data.value.uid"),
            (json!({}), "data.uid"),
            (json!({"value": "u1"}), "data.value"),
            (json!(["u1"]), "data"),
            (json!({"value": {"uid": ""}}), "data.value.uid"),
            (json!({"value": {"uid": "a/b"}}), "data.value.uid"),
            (json!({"value": {"uid": 1}}), "data.value.uid"),
            (json!({"uid": "u1", "email": ["a@b.example"]}), "data.email"),
            (
                json!({"uid": "u1", "emailVerified": "true"}),
                "data.emailVerified",
            ),
            (json!({"uid": "u1", "displayName": {}}), "data.displayName"),
        ];
        for (data, field) in rows {
            assert_eq!(parse(&data).unwrap_err().field(), field, "{data}");
        }
    }

    #[test]
    fn another_event_is_refused() {
        let deleted = "google.firebase.auth.user.v2.deleted";
        let error = UserCreated::parse(&event(deleted, &json!({"uid": "u1"}))).unwrap_err();
        assert_eq!(error.field(), "type");
    }

    #[test]
    fn a_body_that_is_not_json_is_refused() {
        let mut event = event(USER_CREATED, &Value::Null);
        event.data = Bytes::from_static(b"\x0a\x02u1");
        let error = UserCreated::parse(&event).unwrap_err();
        assert_eq!(error.field(), "body");
    }

    #[test]
    fn debug_output_has_no_personal_data() {
        let user = json!({"uid": "u1", "email": "ada@example.com", "displayName": "Ada"});
        let text = format!("{:?}", parse(&user).unwrap()).to_lowercase();
        assert!(text.contains("u1") && !text.contains("ada"), "{text}");
    }
}
