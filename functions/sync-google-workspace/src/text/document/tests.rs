use super::*;

/// Reads without the guard against panics, so that a test sees one.
pub(in crate::text) fn read_unguarded(mime_type: &str, bytes: &[u8]) -> Result<String, Unreadable> {
    read(Kind::of("", mime_type).unwrap(), mime_type, bytes)
}

#[test]
fn kinds_follow_from_the_type_and_else_from_the_name() {
    let cases = [
        ("a.bin", "text/csv; charset=utf-8", Some(Kind::Text)),
        ("a.bin", "Text/HTML", Some(Kind::Html)),
        ("report.PDF", "application/octet-stream", Some(Kind::Pdf)),
        ("a.docx", "application/zip", Some(Kind::Document)),
        ("a.xlsx", "", Some(Kind::Spreadsheet)),
        (
            "a.pptx",
            "application/octet-stream",
            Some(Kind::Presentation),
        ),
        ("a.docx", "image/png", None),
        ("a.rtf", "text/rtf", None),
        ("a.doc", "application/msword", None),
        ("docx", "", None),
    ];
    for (name, mime_type, kind) in cases {
        assert_eq!(Kind::of(name, mime_type), kind, "{name} {mime_type}");
    }
}

#[test]
fn texts_are_decoded_by_mark_utf8_label_or_windows_1252() {
    let cases: [(&[u8], Option<&str>, &str); 6] = [
        (b"\xff\xfeh\0i\0", None, "hi"),
        (b"\xef\xbb\xbfhi", Some("utf-16"), "hi"),
        ("Grüße".as_bytes(), Some("iso-8859-1"), "Grüße"),
        (b"Gr\xfc\xdfe \x80", None, "Grüße €"),
        (b"\xc4\xe3\xba\xc3", Some("gb18030"), "你好"),
        (b"\xff", Some("no-such-charset"), "ÿ"),
    ];
    for (bytes, label, text) in cases {
        assert_eq!(decode(bytes, label), text, "{label:?}");
    }
}

#[test]
fn html_says_its_charset_in_its_head() {
    let html = b"<html><head><meta charset='koi8-r'></head><body>\xf0\xd2\xc9</body>";
    assert_eq!(
        read_document("a.html", "text/html", html),
        Ok("При".to_owned())
    );
}

#[test]
fn bytes_that_are_no_text_are_damaged() {
    assert_eq!(
        read_document("a.txt", "text/plain", b"MZ\0\0"),
        Err(Unreadable::Damaged { kind: Kind::Text })
    );
}
