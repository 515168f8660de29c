use mail_builder::{MessageBuilder, headers::content_type::ContentType, mime::MimePart};

use super::*;
use crate::text::tests::{pages, words};

/// Reads without the guard against panics, so that a test sees one; files have a guard of their own.
pub(in crate::text) fn read_unguarded(raw: &[u8]) -> Result<MailText, Unreadable> {
    super::read(raw)
}

/// A mail in a mail, with a file each.
pub(in crate::text) const NESTED: &str = "From: Bob <bob@example.com>
To: Ada <ada@example.com>, eve@example.com
Cc: Group: carl@example.com;
Subject: =?utf-8?q?Angebot_f=C3=BCr_M=C3=A4rz?=
Message-ID: <1@example.com>
Date: Mon, 5 Jan 2026 10:02:00 +0100
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: text/plain; charset=utf-8

See the mail.
--outer
Content-Type: message/rfc822

From: Carl <carl@example.com>
Subject: Inner
Content-Type: multipart/mixed; boundary=inner

--inner
Content-Type: text/plain

Inner words.
--inner
Content-Type: text/csv; name=\"list.csv\"
Content-Disposition: attachment; filename=\"list.csv\"

a,b
--inner--
--outer--
";

fn read(raw: &str) -> MailText {
    read_mail(raw.replace('\n', "\r\n").as_bytes()).unwrap()
}

fn build(builder: MessageBuilder<'_>) -> MailText {
    let builder = builder.from(("Bob", "bob@example.com")).subject("Offer");
    read_mail(&builder.write_to_vec().unwrap()).unwrap()
}

#[test]
fn heads_are_read() {
    let mail = read(NESTED);
    assert_eq!(mail.message_id.as_deref(), Some("1@example.com"));
    assert_eq!(mail.subject, "Angebot für März");
    assert_eq!(mail.from, "Bob <bob@example.com>");
    assert_eq!(
        mail.to,
        [
            "Ada <ada@example.com>",
            "eve@example.com",
            "carl@example.com"
        ]
    );
    assert_eq!(mail.date, Some("2026-01-05T09:02:00Z".parse().unwrap()));
    assert_eq!(mail.text, "See the mail.");
}

#[test]
fn an_attached_mail_is_read_with_its_files() {
    let mail = read(NESTED);
    let [attachment] = &mail.attachments[..] else {
        panic!("{:?}", mail.attachments);
    };
    assert_eq!(attachment.mime_type, "message/rfc822");
    let text = "From: Carl <carl@example.com>\nSubject: Inner\n\nInner words.\n\nlist.csv\na,b";
    assert_eq!(attachment.text.as_deref(), Ok(text));
}

#[test]
fn a_mail_without_a_head_or_with_a_broken_date_is_read() {
    let mail = read("\nJust words.");
    assert_eq!((mail.text.as_str(), mail.date), ("Just words.", None));
    let mail = read("From: x\nDate: Thu, 99 Foo 20261 99:99:99\n\nWords.");
    assert_eq!((mail.text.as_str(), mail.date), ("Words.", None));
}

#[test]
fn texts_are_decoded_from_their_charsets() {
    let cases: [(&str, &str, &[u8], &str); 9] = [
        ("utf-8", "8bit", "Grüße 漢字".as_bytes(), "Grüße 漢字"),
        ("iso-8859-1", "8bit", b"Gr\xfc\xdfe", "Grüße"),
        (
            "windows-1252",
            "8bit",
            b"\x80 5 \x96 \x93ja\x94",
            "€ 5 – “ja”",
        ),
        ("iso-2022-jp", "7bit", b"\x1b$BF|K\\\x1b(B!", "日本!"),
        ("gb18030", "8bit", b"\xc4\xe3\xba\xc3", "你好"),
        ("koi8-r", "8bit", b"\xf0\xd2\xc9", "При"),
        ("utf-8", "base64", b"R3LDvMOfZQ==", "Grüße"),
        ("iso-8859-1", "quoted-printable", b"Gr=FC=\r\n=DFe", "Grüße"),
        ("no-such-charset", "8bit", b"plain", "plain"),
    ];
    for (charset, encoding, body, text) in cases {
        let head = format!(
            "From: x\r\nContent-Type: text/plain; charset={charset}\r\n\
             Content-Transfer-Encoding: {encoding}\r\n\r\n"
        );
        let mail = read_mail(&[head.as_bytes(), body].concat()).unwrap();
        assert_eq!(mail.text, text, "{charset} {encoding}");
    }
}

#[test]
fn plain_text_is_taken_where_it_says_something() {
    let both = build(
        MessageBuilder::new()
            .text_body("plain")
            .html_body("<p>rich</p>"),
    );
    assert_eq!(both.text, "plain");
    let html = build(MessageBuilder::new().html_body("<p>only &auml;</p><p>rich</p>"));
    assert_eq!(html.text, "only ä\n\nrich");
    let empty = build(
        MessageBuilder::new()
            .text_body(" \r\n")
            .html_body("<b>rich</b>"),
    );
    assert_eq!(empty.text, "rich");
}

#[test]
fn replies_in_html_are_trimmed() {
    let gmail = "<div dir=\"ltr\">Yes.</div><br><div class=\"gmail_quote\"><div class=\"gmail_attr\">\
        On Mon, Jan 5, 2026 at 10:02 AM Ada &lt;<a href=\"mailto:ada@example.com\">ada@example.com</a>&gt; \
        wrote:<br></div><blockquote class=\"gmail_quote\"><div>May I?</div></blockquote></div>";
    let outlook = "<div>Yes.</div><hr><div id=\"divRplyFwdMsg\"><b>From:</b> Ada<br><b>Sent:</b> Monday\
        <br><b>To:</b> Bob<br><b>Subject:</b> Offer</div><div>May I?</div>";
    let apple = "<html><body>Yes.<br><div><blockquote type=\"cite\"><div>On 5 Jan 2026, at 10:02, \
        Ada &lt;ada@example.com&gt; wrote:</div><br><div>May I?</div></blockquote></div></body></html>";
    for html in [gmail, outlook, apple] {
        assert_eq!(
            build(MessageBuilder::new().html_body(html)).text,
            "Yes.",
            "{html}"
        );
    }
}

#[test]
fn files_are_read_and_others_named() {
    let pdf = pages(&[b"BT /F1 12 Tf (Invoice) Tj ET"]);
    let docx = words("<w:p><w:r><w:t>Terms</w:t></w:r></w:p>");
    let mail = build(
        MessageBuilder::new()
            .text_body("See.")
            .attachment("application/pdf", "a.pdf", pdf.clone())
            .attachment("application/octet-stream", "b.docx", docx)
            .attachment("text/html", "c.html", "<p>page</p>")
            .attachment("image/png", "d.png", vec![1, 2, 3])
            .inline("image/gif", "cid:1", vec![1]),
    );
    let texts: Vec<_> = mail
        .attachments
        .iter()
        .map(|file| {
            (
                file.name.as_str(),
                file.text.as_deref().map_err(|reason| *reason),
            )
        })
        .collect();
    assert_eq!(
        texts,
        [
            ("a.pdf", Ok("Invoice")),
            ("b.docx", Ok("Terms")),
            ("c.html", Ok("page")),
            ("d.png", Err(Unreadable::UnknownType)),
            ("", Err(Unreadable::UnknownType)),
        ]
    );
    assert_eq!(mail.text, "See.");
    assert_eq!(mail.attachments[0].bytes, pdf.len() as u64);
    assert_eq!(mail.attachments[0].mime_type, "application/pdf");
}

#[test]
fn signed_mails_are_read_and_sealed_ones_named() {
    let signed = read(
        "From: x\nContent-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\n
--b\nContent-Type: text/plain\n\nSigned words.\n--b\nContent-Type: application/pkcs7-signature; name=smime.p7s
Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=smime.p7s\n\nAAAA\n--b--\n",
    );
    assert_eq!(signed.text, "Signed words.");
    assert_eq!(signed.attachments[0].name, "smime.p7s");
    let sealed = read(
        "From: x\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m
Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=smime.p7m\n\nAAAA\n",
    );
    assert_eq!(sealed.text, "");
    assert_eq!(sealed.attachments[0].text, Err(Unreadable::UnknownType));
}

#[test]
fn broken_boundaries_lose_no_text() {
    for body in [
        "--b\nContent-Type: text/plain\n\nWords.",
        "--b\n\nWords.\n--c--\n",
        "--b\n\nWords.\n--b",
    ] {
        let raw = format!("From: x\nContent-Type: multipart/mixed; boundary=b\n\n{body}");
        let mail = read(&raw);
        // A part that nothing ends is taken for a file.
        let files = mail.attachments.iter().flat_map(|file| &file.text);
        let texts: Vec<_> = files.chain([&mail.text]).collect();
        assert!(
            texts.iter().any(|text| text.starts_with("Words.")),
            "{mail:?}"
        );
    }
}

fn nested(depth: usize) -> String {
    let layer = "From: x\nContent-Type: message/rfc822\n\n";
    format!("{}From: y\n\nInnermost.", layer.repeat(depth))
}

fn attached(raw: &str) -> Result<String, Unreadable> {
    read(raw).attachments.remove(0).text
}

#[test]
fn mails_are_read_in_mails_up_to_a_depth() {
    assert!(attached(&nested(MAX_DEPTH)).unwrap().contains("Innermost."));
    let deeper = attached(&nested(MAX_DEPTH + 1)).unwrap();
    assert!(!deeper.contains("Innermost."));
    for depth in [MAX_PARTS + 1, 200_000] {
        assert!(matches!(
            read_mail(nested(depth).as_bytes()),
            Err(Unreadable::TooManyParts { .. })
        ));
    }
}

#[test]
fn the_deepest_mails_that_are_parsed_fit_the_stack() {
    assert!(read_mail(nested(MAX_PARTS).as_bytes()).is_ok());
}

fn with_parts(parts: usize) -> Result<MailText, Unreadable> {
    let head = "From: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
    let part = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n";
    read_mail(format!("{head}{}--b--\r\n", part.repeat(parts)).as_bytes())
}

#[test]
fn mails_have_parts_up_to_their_limit_and_no_more() {
    let too_many = Err(Unreadable::TooManyParts {
        kind: Kind::Mail,
        limit: MAX_PARTS,
    });
    assert!(with_parts(MAX_PARTS - 1).is_ok());
    assert_eq!(with_parts(MAX_PARTS), too_many);
    assert_eq!(with_parts(2 * MAX_PARTS + 1), too_many);
}

#[test]
fn attachments_are_read_up_to_their_limit_and_named_beyond() {
    let mut builder = MessageBuilder::new().text_body("See.");
    for _ in 0..=MAX_ATTACHMENTS {
        builder = builder.attachment("text/csv", "a.csv", "a,b");
    }
    let mail = build(builder);
    assert_eq!(
        mail.attachments[MAX_ATTACHMENTS - 1].text.as_deref(),
        Ok("a,b")
    );
    assert_eq!(
        mail.attachments[MAX_ATTACHMENTS].text,
        Err(Unreadable::TooManyParts {
            kind: Kind::Mail,
            limit: MAX_ATTACHMENTS
        })
    );
}

#[test]
fn mails_are_read_up_to_their_size_and_no_larger() {
    let mut raw = b"From: x\r\nContent-Type: image/png\r\n\r\n".to_vec();
    raw.resize(MAX_MAIL_BYTES, b'x');
    assert!(read_mail(&raw).is_ok());
    raw.push(b'x');
    assert_eq!(
        read_mail(&raw),
        Err(Unreadable::TooLarge {
            kind: Kind::Mail,
            limit_bytes: MAX_MAIL_BYTES
        })
    );
}

#[test]
fn a_file_beyond_its_limit_is_named_and_the_mail_read() {
    let file = MimePart::new(
        ContentType::new("text/csv"),
        vec![b'x'; crate::text::MAX_FILE_BYTES + 1],
    );
    let mail = build(MessageBuilder::new().body(MimePart::new(
        ContentType::new("multipart/mixed"),
        vec![
            MimePart::new(ContentType::new("text/plain"), "See."),
            file.attachment("a.csv"),
        ],
    )));
    assert_eq!(mail.text, "See.");
    assert!(matches!(
        mail.attachments[0].text,
        Err(Unreadable::TooLarge { .. })
    ));
}
