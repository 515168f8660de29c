use serde::Deserialize;

/// What tells who has connected an account, whatever else is asked for.
const IDENTITY_SCOPES: [&str; 2] = ["openid", "email"];

/// As Google writes `email` in what it grants.
const EMAIL_SCOPE: &str = "https://www.googleapis.com/auth/userinfo.email";

const DRIVE_READONLY: &str = "https://www.googleapis.com/auth/drive.readonly";

/// What a user can let the application do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Feature {
    /// Read and send mail.
    Gmail,
    /// Read and make appointments.
    Calendar,
    /// Make documents and see those the user picks.
    Drive,
    /// Report data into spreadsheets.
    Sheets,
}

impl Feature {
    /// Every feature, in the order of the specification.
    pub(crate) const ALL: [Self; 4] = [Self::Gmail, Self::Calendar, Self::Drive, Self::Sheets];

    /// Scopes of <https://developers.google.com/identity/protocols/oauth2/scopes>.
    fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Gmail => &[
                "https://www.googleapis.com/auth/gmail.readonly",
                "https://www.googleapis.com/auth/gmail.send",
            ],
            Self::Calendar => &["https://www.googleapis.com/auth/calendar"],
            Self::Drive => &["https://www.googleapis.com/auth/drive.file"],
            Self::Sheets => &["https://www.googleapis.com/auth/spreadsheets"],
        }
    }
}

/// The scopes of these features, each once; all of Drive only where the plan opts in.
pub(super) fn scopes(features: &[Feature], reads_all_of_drive: bool) -> Vec<String> {
    let chosen = Feature::ALL
        .into_iter()
        .filter(|feature| features.contains(feature));
    let all_of_drive = reads_all_of_drive && features.contains(&Feature::Drive);
    let scopes = chosen.flat_map(Feature::scopes).copied();
    let scopes = scopes.chain(all_of_drive.then_some(DRIVE_READONLY));
    scopes.map(str::to_owned).collect()
}

/// The same with what tells whose account it is.
pub(super) fn with_identity(mut scopes: Vec<String>) -> Vec<String> {
    scopes.extend(IDENTITY_SCOPES.map(str::to_owned));
    scopes
}

/// What was asked for and not granted: users can untick each part.
pub(super) fn missing(asked: &[String], granted: &[String]) -> Vec<String> {
    let is_same = |asked: &str, granted: &str| {
        asked == granted || (asked == "email" && granted == EMAIL_SCOPE)
    };
    let is_granted = |asked: &str| granted.iter().any(|granted| is_same(asked, granted));
    let missing = asked.iter().filter(|asked| !is_granted(asked));
    missing.cloned().collect()
}

/// Whether anything was granted but to know who it is.
pub(super) fn grants_a_feature(granted: &[String]) -> bool {
    let all = scopes(&Feature::ALL, true);
    granted.iter().any(|scope| all.contains(scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(scopes: &[String]) -> Vec<&str> {
        let prefix = "https://www.googleapis.com/auth/";
        let scopes = scopes.iter();
        scopes
            .map(|scope| scope.trim_start_matches(prefix))
            .collect()
    }

    #[test]
    fn all_features_ask_for_the_five_scopes_and_identity_only() {
        let expected = [
            "gmail.readonly",
            "gmail.send",
            "calendar",
            "drive.file",
            "spreadsheets",
            "openid",
            "email",
        ];
        let scopes = with_identity(scopes(&Feature::ALL, false));
        assert_eq!(short(&scopes), expected);
    }

    #[test]
    fn all_of_drive_is_asked_for_only_with_drive_where_the_plan_opts_in() {
        let drive = scopes(&[Feature::Drive], true);
        assert_eq!(short(&drive), ["drive.file", "drive.readonly"]);
        assert_eq!(short(&scopes(&[Feature::Sheets], true)), ["spreadsheets"]);
    }

    #[test]
    fn a_feature_named_twice_is_asked_for_once() {
        let scopes = scopes(&[Feature::Calendar, Feature::Calendar], false);
        assert_eq!(short(&scopes), ["calendar"]);
    }

    #[test]
    fn what_was_unticked_is_missing_and_the_address_by_its_long_name_is_not() {
        let asked = with_identity(scopes(&[Feature::Gmail], false));
        let mut granted = asked.clone();
        granted.remove(1);
        granted.retain(|scope| scope != "email");
        granted.push(EMAIL_SCOPE.to_owned());
        assert_eq!(short(&missing(&asked, &granted)), ["gmail.send"]);
        assert!(grants_a_feature(&granted));
        assert!(!grants_a_feature(&with_identity(Vec::new())));
    }
}
