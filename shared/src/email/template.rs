use std::borrow::Cow;

const WELCOME_TEXT: &str = include_str!("templates/welcome.txt");
const WELCOME_HTML: &str = include_str!("templates/welcome.html");

const INVITATION_TEXT: &str = include_str!("templates/invitation.txt");
const INVITATION_HTML: &str = include_str!("templates/invitation.html");

const BROKEN_INTEGRATION_TEXT: &str = include_str!("templates/broken_integration.txt");
const BROKEN_INTEGRATION_HTML: &str = include_str!("templates/broken_integration.html");

const USAGE_ALERT_TEXT: &str = include_str!("templates/usage_alert.txt");
const USAGE_ALERT_HTML: &str = include_str!("templates/usage_alert.html");

const BILLING_NOTICE_TEXT: &str = include_str!("templates/billing_notice.txt");
const BILLING_NOTICE_HTML: &str = include_str!("templates/billing_notice.html");

/// The text and HTML parts of the welcome e-mail.
#[must_use]
pub fn welcome(organization_name: &str) -> (String, String) {
    let values = [("organization", organization_name)];
    render_both((WELCOME_TEXT, WELCOME_HTML), &values)
}

/// The text and HTML parts of the e-mail with an invitation's link. `role` is its name, `ends` a
/// day.
#[must_use]
pub fn invitation(organization_name: &str, role: &str, ends: &str, link: &str) -> (String, String) {
    let values = [
        ("organization", organization_name),
        ("role", role),
        ("ends", ends),
        ("link", link),
    ];
    render_both((INVITATION_TEXT, INVITATION_HTML), &values)
}

/// The text and HTML parts of the e-mail that a connected service does not accept its credentials
/// any more. `account` is masked, `link` leads to the integrations.
#[must_use]
pub fn broken_integration(service: &str, account: &str, link: &str) -> (String, String) {
    let values = [("service", service), ("account", account), ("link", link)];
    render_both((BROKEN_INTEGRATION_TEXT, BROKEN_INTEGRATION_HTML), &values)
}

/// The text and HTML parts of the e-mail about a monthly limit. `percent` is the share that is
/// used, `period` the month, `consequence` a sentence.
#[must_use]
pub fn usage_alert(
    organization_name: &str,
    limit: &str,
    percent: &str,
    period: &str,
    consequence: &str,
) -> (String, String) {
    let values = [
        ("organization", organization_name),
        ("limit", limit),
        ("percent", percent),
        ("period", period),
        ("consequence", consequence),
    ];
    render_both((USAGE_ALERT_TEXT, USAGE_ALERT_HTML), &values)
}

/// The text and HTML parts of an e-mail about the subscription.
#[must_use]
pub fn billing_notice(organization_name: &str, title: &str, text: &str) -> (String, String) {
    let values = [
        ("organization", organization_name),
        ("title", title),
        ("text", text),
    ];
    render_both((BILLING_NOTICE_TEXT, BILLING_NOTICE_HTML), &values)
}

fn render_both((text, html): (&str, &str), values: &[(&str, &str)]) -> (String, String) {
    (
        render(text, values, |value| Cow::Borrowed(value)),
        render(html, values, escape_html),
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
        let invitation = invitation("Ada", "viewer", "2026-11-30", "https://app.example.com/#t");
        let broken = broken_integration("Stripe", "sk_…42", "https://app.example.com/i");
        let alert = usage_alert("Ada", "the monthly tokens", "80", "2026-11", "Soon.");
        let notice = billing_notice("Ada", "A payment has failed", "It is tried again.");
        for (text, html) in [welcome("Ada"), invitation, broken, alert, notice] {
            assert!(!text.contains("{{") && !html.contains("{{"));
        }
    }

    #[test]
    fn an_invitation_tells_where_to_what_and_until_when() {
        let (text, html) = invitation("A & B", "viewer", "2026-11-30", "https://a.example/#t=1.2");
        for part in ["A & B", "viewer", "2026-11-30", "https://a.example/#t=1.2"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for part in [
            "A &amp; B",
            "viewer",
            "2026-11-30",
            "\"https://a.example/#t=1.2\"",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
