use std::io::{Cursor, Write as _};

use proptest::{collection::vec, prelude::*};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

/// A ZIP of these parts.
pub(super) fn package(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in parts {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A PDF of these objects, the first of which is the catalog.
pub(super) fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (index, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend_from_slice(format!("{} 0 obj\n", index + 1).as_bytes());
        file.extend_from_slice(object);
        file.extend_from_slice(b"\nendobj\n");
    }
    let end = file.len();
    let size = objects.len() + 1;
    file.extend_from_slice(table.as_bytes());
    let trailer = format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{end}\n%%EOF\n");
    file.extend_from_slice(trailer.as_bytes());
    file
}

/// A stream with the entries of its dictionary.
pub(super) fn stream(entries: &str, content: &[u8]) -> Vec<u8> {
    let mut object = format!("<< {entries} /Length {} >>\nstream\n", content.len()).into_bytes();
    object.extend_from_slice(content);
    object.extend_from_slice(b"\nendstream");
    object
}

/// A PDF with a page for each content, in Helvetica.
pub(super) fn pages(contents: &[&[u8]]) -> Vec<u8> {
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        Vec::new(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".into(),
    ];
    let mut kids = String::new();
    for content in contents {
        let page = objects.len() + 1;
        kids.push_str(&format!("{page} 0 R "));
        let text = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R \
             /Resources << /Font << /F1 3 0 R >> >> >>",
            page + 1
        );
        objects.push(text.into_bytes());
        objects.push(stream("", content));
    }
    let count = contents.len();
    objects[1] = format!("<< /Type /Pages /Kids [{kids}] /Count {count} >>").into_bytes();
    pdf(&objects)
}

pub(super) fn words(body: &str) -> Vec<u8> {
    let xml = format!("<w:document><w:body>{body}</w:body></w:document>");
    package(&[("word/document.xml", xml.as_bytes())])
}

#[test]
fn a_text_is_kept_up_to_its_limit_and_no_further() {
    let text = "ü".repeat(MAX_TEXT_CHARS);
    assert_eq!(
        read_document("a.txt", "text/plain", text.as_bytes()),
        Ok(text.clone())
    );
    let longer = format!("{text}.");
    assert_eq!(
        read_document("a.txt", "text/plain", longer.as_bytes()),
        Err(Unreadable::TooMuchText {
            kind: Kind::Text,
            limit_chars: MAX_TEXT_CHARS
        })
    );
}

#[test]
fn files_are_read_up_to_their_limit_and_no_further() {
    let spaces = vec![b' '; MAX_FILE_BYTES + 1];
    let too_long = Err(Unreadable::TooMuchText {
        kind: Kind::Text,
        limit_chars: MAX_TEXT_CHARS,
    });
    let too_large = |kind, limit_bytes| Err(Unreadable::TooLarge { kind, limit_bytes });
    assert_eq!(read_document("", "text/plain", &spaces[1..]), too_long);
    assert_eq!(
        read_document("", "text/plain", &spaces),
        too_large(Kind::Text, MAX_FILE_BYTES)
    );
    assert_eq!(
        read_document("", "text/html", &spaces[..MAX_HTML_BYTES]),
        Ok(String::new())
    );
    assert_eq!(
        read_document("", "text/html", &spaces[..=MAX_HTML_BYTES]),
        too_large(Kind::Html, MAX_HTML_BYTES)
    );
    assert_eq!(
        read_document("a.pdf", "", &spaces),
        too_large(Kind::Pdf, MAX_FILE_BYTES)
    );
}

#[test]
fn reasons_name_kind_and_limit() {
    let reason = Unreadable::TooLarge {
        kind: Kind::Spreadsheet,
        limit_bytes: MAX_FILE_BYTES,
    };
    assert_eq!(
        reason.to_string(),
        "the spreadsheet is larger than 20971520 bytes"
    );
}

#[test]
fn texts_lose_control_characters_and_empty_lines() {
    assert_eq!(tidy("\n\na\u{7} \r\n\r\n\n\nb\rc\td\n"), "a\n\nb\nc\td");
}

const TYPES: [&str; 6] = [
    "text/plain",
    "text/html",
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
];

/// A file of each kind, to be damaged.
fn samples() -> Vec<Vec<u8>> {
    vec![
        pages(&[b"BT /F1 12 Tf 72 700 Td [(Inv) -20 (oice)] TJ ET q /X Do Q"]),
        words("<w:p><w:r><w:t>Invoice &amp; terms</w:t></w:r></w:p>"),
        office::tests::workbook(
            r#"<row r="1"><c r="A1"><v>7</v></c></row>"#,
            "<si><t>x</t></si>",
        ),
        package(&[("ppt/slides/slide1.xml", b"<a:p><a:t>Plan</a:t></a:p>")]),
        mail::tests::NESTED.replace('\n', "\r\n").into_bytes(),
        b"<p>a<blockquote>b&amp;<script>".to_vec(),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..2_000)) {
        _ = mail::tests::read_unguarded(&bytes);
        for mime_type in TYPES {
            _ = document::read_unguarded(mime_type, &bytes);
        }
    }

    #[test]
    fn no_damage_makes_a_reader_panic(
        sample in 0..6_usize,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = samples().swap_remove(sample);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [&bytes[..], &bytes[..length.index(bytes.len())]] {
            _ = mail::tests::read_unguarded(bytes);
            for mime_type in TYPES {
                _ = document::read_unguarded(mime_type, bytes);
            }
        }
    }

    #[test]
    fn no_text_makes_the_trimmer_or_the_splitter_panic(text in "(?s).{0,600}", subject in ".{0,20}") {
        _ = quotes::trim(&text, &subject);
        prop_assert!(chunk(&text).texts.iter().all(|piece| text.contains(piece)));
    }
}
