/// Elements whose content nobody reads.
const HIDDEN: [&str; 4] = ["head", "script", "style", "title"];

/// Elements that begin a line.
const BLOCKS: [&str; 20] = [
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "table",
    "tr",
    "ul",
];

/// Longest character reference that is looked for, in bytes.
const MAX_REFERENCE_LEN: usize = 32;

/// What people read of HTML: no tags, no scripts, a line for each block. For text only: what it
/// gives is not safe to be HTML again.
pub(super) fn from_html(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let mut text = String::new();
    let mut at = 0;
    // A broken mail is not read again and again for the end of a quote.
    let mut heeds_quotes = true;
    while let Some(found) = html[at..].find('<') {
        let start = at + found;
        push_decoded(&mut text, &html[at..start]);
        if !begins_tag(&html[start..]) {
            text.push('<');
            at = start + 1;
            continue;
        }
        let quoted = heeds_quotes
            .then(|| end_outside_quotes(&html[start..]))
            .flatten();
        heeds_quotes &= quoted.is_some();
        let end = start + quoted.unwrap_or_else(|| end_of_tag(&html[start..]));
        let name = tag_name(&lower[start..end]);
        at = match HIDDEN.contains(&name) {
            true => end_of_element(&lower, end, name),
            false => end,
        };
        if BLOCKS.contains(&name.trim_start_matches('/')) {
            text.push('\n');
        }
    }
    push_decoded(&mut text, &html[at..]);
    tidy(&text)
}

fn begins_tag(text: &str) -> bool {
    let second = text.as_bytes().get(1);
    second.is_some_and(|byte| byte.is_ascii_alphabetic() || b"/!?".contains(byte))
}

/// The length of the tag that the text begins with, if its quotes are closed.
fn end_outside_quotes(text: &str) -> Option<usize> {
    if text.starts_with("<!--") {
        return Some(end_of_tag(text));
    }
    let mut quote = None;
    for (index, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(index + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// The length of a tag or comment whose quotes mean nothing; all of the text when it has no end.
fn end_of_tag(text: &str) -> usize {
    let end = if text.starts_with("<!--") { "-->" } else { ">" };
    text.find(end).map_or(text.len(), |at| at + end.len())
}

/// `a` of `<a href>`, `/a` of `</a>`.
fn tag_name(tag: &str) -> &str {
    let inner = tag.trim_start_matches('<');
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '/';
    let end = inner.find(|c| !is_name(c)).unwrap_or(inner.len());
    let name = &inner[..end];
    match name.starts_with('/') {
        true => name,
        false => name.trim_end_matches('/'),
    }
}

fn end_of_element(lower: &str, from: usize, name: &str) -> usize {
    let Some(close) = lower[from..].find(&format!("</{name}")) else {
        return lower.len();
    };
    let close = from + close;
    lower[close..]
        .find('>')
        .map_or(lower.len(), |end| close + end + 1)
}

/// Adds text with its character references resolved.
fn push_decoded(text: &mut String, source: &str) {
    let mut rest = source;
    while let Some(found) = rest.find('&') {
        text.push_str(&rest[..found]);
        rest = &rest[found..];
        let end = rest
            .bytes()
            .take(MAX_REFERENCE_LEN)
            .position(|byte| byte == b';');
        let reference = end.and_then(|end| Some((end, resolve(&rest[1..end])?)));
        match reference {
            Some((end, character)) => {
                text.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                text.push('&');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
}

/// The references that mails use; others stay as they are.
fn resolve(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| !c.is_control() || c.is_whitespace());
    }
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "bull" => '•',
        "euro" => '€',
        "copy" => '©',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        _ => return None,
    };
    Some(character)
}

/// Single spaces within lines, no more than one empty line between them.
fn tidy(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let line = words.join(" ");
        let follows_empty = lines.last().is_none_or(String::is_empty);
        if !(line.is_empty() && follows_empty) {
            lines.push(line);
        }
    }
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_read_is_left() {
        let rows = [
            ("<p>One</p><p>Two <b>bold</b></p>", "One\n\nTwo bold"),
            ("a<br/>b<BR>c", "a\nb\nc"),
            (
                "<style>p { color: red }</style><script>alert('<p>')</script>x",
                "x",
            ),
            (
                "<html><head><title>t</title></head><body>x</body></html>",
                "x",
            ),
            (
                "1 < 2 &amp;&amp; 3 &gt; 2 &nbsp;&#228;&#xe4; &unknown; & x",
                "1 < 2 && 3 > 2 ää &unknown; & x",
            ),
            ("<a title=\"a > b\" href='x'>link</a>", "link"),
            ("a<!-- <p>hidden</p> -->b<!doctype html>", "ab"),
            ("<div>a</div>\n\n\n<div>  b  c </div>", "a\n\nb c"),
            ("&lt;script&gt;", "<script>"),
            ("<script>never closed", ""),
            ("<a title=\"never closed>x", "x"),
            ("a <b", "a"),
            ("<", "<"),
            ("", ""),
        ];
        for (html, text) in rows {
            assert_eq!(from_html(html), text, "{html}");
        }
    }

    proptest! {
        #[test]
        fn no_html_is_too_broken(html in "[<>a-z/!&;#x0-9\"' -ä用]{0,64}") {
            from_html(&html);
        }
    }
}
