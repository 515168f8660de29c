//! Whether an action is told what it may be told.

use serde_json::Value;

use super::{Action, Field, FieldKind};

/// A field that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {message}")]
pub struct InvalidField {
    /// Its name, with the place in it: `to[2]`.
    pub field: String,
    /// What is wrong, without the value.
    pub message: String,
}

impl Action {
    /// Checks an input by the fields' names; `null` counts as absent.
    ///
    /// # Errors
    /// Returns the first field that is missing or wrong, or `input` for one that is unknown.
    pub fn check(&self, input: &Value) -> Result<(), InvalidField> {
        let Some(values) = input.as_object() else {
            return Err(InvalidField::new("input", "must be an object"));
        };
        let is_known = |name: &String| self.fields.iter().any(|field| field.name == name);
        if !values.keys().all(is_known) {
            let message = "has a field that the action does not know";
            return Err(InvalidField::new("input", message));
        }
        self.fields.iter().try_for_each(|field| {
            match values.get(field.name).filter(|value| !value.is_null()) {
                Some(value) => field.check(value),
                None if field.is_required => Err(InvalidField::new(field.name, "is missing")),
                None => Ok(()),
            }
        })
    }
}

impl Field {
    /// Checks a value.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    pub fn check(&self, value: &Value) -> Result<(), InvalidField> {
        if let (FieldKind::Texts, Value::Array(items)) = (self.kind, value) {
            if items.is_empty() && self.is_required {
                return Err(InvalidField::new(self.name, "must not be empty"));
            }
            let mut items = items.iter().enumerate();
            return items.try_for_each(|(position, item)| self.check_item(position, item));
        }
        match problem(self.kind, value) {
            Some(message) => Err(InvalidField::new(self.name, message)),
            None => Ok(()),
        }
    }

    /// Checks an item of a list of texts.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    pub fn check_item(&self, position: usize, item: &Value) -> Result<(), InvalidField> {
        match problem(FieldKind::Text, item) {
            Some(message) => {
                let place = format!("{}[{position}]", self.name);
                Err(InvalidField::new(place, message))
            }
            None => Ok(()),
        }
    }
}

impl InvalidField {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

fn problem(kind: FieldKind, value: &Value) -> Option<String> {
    let text = value.as_str();
    let message = match kind {
        FieldKind::Any => return None,
        FieldKind::Text => match text {
            Some("") => "must not be empty".to_owned(),
            Some(_) => return None,
            None => "must be text".to_owned(),
        },
        FieldKind::Texts => "must be a list of texts".to_owned(),
        FieldKind::Flag if value.is_boolean() => return None,
        FieldKind::Flag => "must be true or false".to_owned(),
        FieldKind::Integer { least, most } => {
            if value
                .as_i64()
                .is_some_and(|number| (least..=most).contains(&number))
            {
                return None;
            }
            match most {
                i64::MAX => format!("must be a whole number, at least {least}"),
                _ => format!("must be a whole number from {least} to {most}"),
            }
        }
        FieldKind::Choice(words) if text.is_some_and(|text| words.contains(&text)) => return None,
        FieldKind::Choice(words) => format!("must be one of `{}`", words.join("`, `")),
        FieldKind::Instant if text.is_some_and(is_instant) => return None,
        FieldKind::Instant => "must be an instant such as `2026-11-23T12:00:00Z`".to_owned(),
    };
    Some(message)
}

/// By <https://www.rfc-editor.org/rfc/rfc3339#section-5.6>, which is less than `jiff` reads.
fn is_instant(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has_zone = matches!(
        bytes,
        [.., b'Z' | b'z'] | [.., b'+' | b'-', _, _, b':', _, _]
    );
    let is_separated = matches!(bytes.get(10), Some(b'T' | b't')) && bytes.get(16) == Some(&b':');
    has_zone && is_separated && !text.contains(',') && text.parse::<jiff::Timestamp>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::find;

    fn refusal(action: &str, input: Value) -> String {
        let checked = find(action).unwrap().check(&input);
        checked
            .err()
            .map(|invalid| invalid.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn an_input_has_what_is_needed_and_nothing_unknown() {
        let mail = |to: Value| json!({ "to": to, "subject": "s", "text": "t", "cc": null });
        for (input, expected) in [
            (mail(json!(["a@example.com"])), ""),
            (mail(json!("a@example.com")), "`to` must be a list of texts"),
            (
                mail(json!(["a@example.com", ""])),
                "`to[1]` must not be empty",
            ),
            (mail(json!([1])), "`to[0]` must be text"),
            (mail(json!([])), "`to` must not be empty"),
            (mail(json!(null)), "`to` is missing"),
            (json!({}), "`to` is missing"),
            (json!(null), "`input` must be an object"),
            (
                json!({ "bcc": ["x"] }),
                "`input` has a field that the action does not know",
            ),
        ] {
            assert_eq!(
                refusal("google.gmail.send", input.clone()),
                expected,
                "{input}"
            );
        }
    }

    #[test]
    fn values_are_of_their_kind() {
        let number = |limit: Value| json!({ "query": "q", "limit": limit });
        let whole = "`limit` must be a whole number from 1 to 500";
        for (limit, expected) in [
            (json!(1), ""),
            (json!(500), ""),
            (json!(0), whole),
            (json!(501), whole),
            (json!(1.5), whole),
            (json!("1"), whole),
        ] {
            assert_eq!(refusal("google.gmail.search", number(limit)), expected);
        }
        let state = json!({ "owner": "o", "repo": "r", "state": "ajar" });
        assert_eq!(
            refusal("github.issues.list", state),
            "`state` must be one of `open`, `closed`, `all`"
        );
        let cells =
            json!({ "spreadsheetId": "s", "range": "A1", "rows": 1, "allowFormulas": "no" });
        assert_eq!(
            refusal("google.sheets.append", cells),
            "`allowFormulas` must be true or false"
        );
    }

    #[test]
    fn instants_are_those_of_rfc_3339() {
        for text in [
            "2026-11-23T12:00:00Z",
            "2026-11-23t12:00:00.25z",
            "2026-11-23T12:00:00+01:00",
        ] {
            assert!(is_instant(text), "{text}");
        }
        for text in [
            "",
            "tomorrow",
            "2026-11-23",
            "2026-11-23T12:00:00",
            "2026-11-23 12:00:00Z",
            "2026-11-23T12:00:00+01",
            "2026-11-23T12:00:00,5Z",
            "2026-02-30T12:00:00Z",
            "2026-11-23T12:00:00Z[UTC]",
        ] {
            assert!(!is_instant(text), "{text}");
        }
    }
}
