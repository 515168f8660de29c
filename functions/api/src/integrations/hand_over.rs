use shared::invitation::AppUrl;
use url::form_urlencoded;

/// Longest value that is taken from Google or the application, in characters: our states have 64,
/// Google's codes at most 256.
pub(crate) const MAX_RETURNED_LEN: usize = 2_048;

/// Where the browser goes with what it has brought from Google: to the application, whose user is
/// signed in there. Everything is in the fragment, which browsers send to no server.
pub(crate) fn hand_over(app_url: &AppUrl, query: &str) -> String {
    let page = app_url.google_consent();
    match read(query) {
        Some(pairs) => {
            let mut fragment = form_urlencoded::Serializer::new(String::new());
            format!("{page}#{}", fragment.extend_pairs(pairs).finish())
        }
        None => format!("{page}#error=invalid_state"),
    }
}

/// The state, and the error or else the code; each at most once and of a length that it can have.
fn read(query: &str) -> Option<[(&'static str, String); 2]> {
    let (mut state, mut code, mut error) = (None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let field = match &*name {
            "state" => &mut state,
            "code" => &mut code,
            "error" => &mut error,
            _ => continue,
        };
        let is_possible = !value.is_empty() && value.chars().count() <= MAX_RETURNED_LEN;
        if !is_possible || field.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    let outcome = match (error, code) {
        (Some(error), _) => ("error", error),
        (None, code) => ("code", code?),
    };
    Some([("state", state?), outcome])
}

#[cfg(test)]
mod tests {
    use shared::config::Env;

    use super::*;

    fn fragment(query: &str) -> String {
        let env = Env::from_pairs([("APP_URL", "https://app.example.com")]);
        let next = hand_over(&AppUrl::load(&env).unwrap(), query);
        let page = "https://app.example.com/integrations/google#";
        next.strip_prefix(page).unwrap().to_owned()
    }

    #[test]
    fn state_and_code_or_error_are_handed_over_and_nothing_else() {
        let iss = "iss=https%3A%2F%2Faccounts.google.com&scope=openid+email&authuser=0";
        for (query, expected) in [
            ("state=s&code=4%2F0Ab", "state=s&code=4%2F0Ab"),
            ("code=c&state=s", "state=s&code=c"),
            ("error=access_denied&state=s", "state=s&error=access_denied"),
            ("error=e&code=c&state=s", "state=s&error=e"),
        ] {
            assert_eq!(fragment(&format!("{query}&{iss}")), expected);
        }
    }

    #[test]
    fn what_is_handed_over_ends_neither_the_value_nor_the_header() {
        let query = "state=s%26code%3Dx&error=%0d%0aSet-Cookie:x%23%22%C3%A9";
        let expected = "state=s%26code%3Dx&error=%0D%0ASet-Cookie%3Ax%23%22%C3%A9";
        assert_eq!(fragment(query), expected);
    }

    #[test]
    fn what_is_missing_repeated_or_too_long_is_not_handed_over() {
        let (long, longest) = (
            "x".repeat(MAX_RETURNED_LEN + 1),
            "x".repeat(MAX_RETURNED_LEN),
        );
        for query in [
            "",
            "state=s",
            "code=c",
            "error=e",
            "state=&code=c",
            "state=s&code=",
            "state=s&state=s&code=c",
            "state=s&code=c&code=d",
            "state=s&error=e&error=e",
            &format!("state={long}&code=c"),
            &format!("state=s&code={long}"),
            &format!("state=s&error={long}"),
        ] {
            assert_eq!(fragment(query), "error=invalid_state", "{query}");
        }
        let query = format!("state={longest}&code={longest}");
        assert_eq!(fragment(&query), query);
    }
}
