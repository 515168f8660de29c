use std::borrow::Cow;

const WELCOME_TEXT: &str = include_str!("templates/welcome.txt");
const WELCOME_HTML: &str = include_str!("templates/welcome.html");

/// The text and HTML parts of the welcome e-mail.
#[must_use]
pub fn welcome(organization_name: &str) -> (String, String) {
    let values = [("organization", organization_name)];
    (
        render(WELCOME_TEXT, &values, |value| Cow::Borrowed(value)),
        render(WELCOME_HTML, &values, escape_html),
    )
}

/// Replaces each `{{name}}` by its escaped value in one pass, so that no value is read as a
/// template. An unknown name becomes nothing.
fn render(template: &str, values: &[(&str, &str)], escape: fn(&str) -> Cow<'_, str>) -> String {
    let mut output = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        output.push_str(before);
        if let Some((_, value)) = values.iter().find(|(key, _)| *key == name) {
            output.push_str(&escape(value));
        }
        rest = after;
    }
    output.push_str(rest);
    output
}

/// Safe in text and in quoted attributes
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Cross_Site_Scripting_Prevention_Cheat_Sheet.html>).
fn escape_html(value: &str) -> Cow<'_, str> {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            _ => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_in_html_and_plain_in_text() {
        let (text, html) = welcome("<script>alert('x')</script> & \"co\"");
        assert!(
            text.contains("<script>alert('x')</script> & \"co\""),
            "{text}"
        );
        assert!(!html.contains("<script>"), "{html}");
        let escaped = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;co&quot;";
        assert!(html.contains(escaped), "{html}");
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        let (text, _) = welcome("{{organization}}");
        assert!(text.contains("{{organization}}"), "{text}");
    }

    #[test]
    fn no_placeholder_is_left_over() {
        let (text, html) = welcome("Ada");
        assert!(!text.contains("{{") && !html.contains("{{"));
    }
}
