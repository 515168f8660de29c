use super::{
    super::tests::{package, words},
    *,
};

/// A workbook with one sheet of these rows and these shared strings.
pub(in crate::text) fn workbook(rows: &str, strings: &str) -> Vec<u8> {
    let relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let workbook = format!(
        r#"<workbook xmlns:r="{relation}"><sheets><sheet name="Costs" sheetId="1" r:id="r1"/></sheets></workbook>"#
    );
    let relations = format!(
        r#"<Relationships><Relationship Id="r1" Type="{relation}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#
    );
    let root = format!(
        r#"<Relationships><Relationship Id="r1" Type="{relation}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
    );
    let styles =
        r#"<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#;
    let sheet = format!("{BOMB}<worksheet><sheetData>{rows}</sheetData></worksheet>");
    let strings = format!("{BOMB}<sst>{strings}</sst>");
    package(&[
        ("_rels/.rels", root.as_bytes()),
        ("xl/workbook.xml", workbook.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations.as_bytes()),
        ("xl/styles.xml", styles.as_bytes()),
        ("xl/sharedStrings.xml", strings.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

const BOMB: &str =
    r#"<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "lolol"><!ENTITY b "&a;&a;&a;">]>"#;

#[test]
fn documents_are_read_with_tables_breaks_and_notes() {
    let body = "<w:p><w:pPr><w:tabs><w:tab w:val=\"left\"/></w:tabs></w:pPr>\
        <w:r><w:t>Offer &amp; terms</w:t></w:r><w:r><w:tab/><w:t>A&#233;</w:t></w:r></w:p>\
        <w:p><w:r><w:delText>gone</w:delText><w:br/><w:t>next</w:t></w:r></w:p>\
        <w:tbl><w:tr><w:tc><w:p><w:r><w:t>cell</w:t></w:r></w:p></w:tc></w:tr></w:tbl>\
        <mc:AlternateContent><mc:Choice><w:t>chosen</w:t></mc:Choice>\
        <mc:Fallback><w:t>other</w:t></mc:Fallback></mc:AlternateContent>";
    let body = format!("<w:document>{body}</w:document>");
    let file = package(&[
        ("word/document.xml", body.as_bytes()),
        ("word/footnotes.xml", b"<w:p><w:t>a note</w:t></w:p>"),
    ]);
    let text = read_words(&file).unwrap();
    assert_eq!(text, "Offer & terms\tAé\n\nnext\ncell\n\tchosen\na note");
}

#[test]
fn slides_are_read_in_their_order_with_notes_last() {
    let file = package(&[
        ("ppt/slides/slide10.xml", b"<a:p><a:t>ten</a:t></a:p>"),
        (
            "ppt/notesSlides/notesSlide1.xml",
            b"<a:p><a:t>note</a:t></a:p>",
        ),
        ("ppt/slides/slide2.xml", b"<a:p><a:t>two</a:t></a:p>"),
    ]);
    assert_eq!(read_slides(&file).as_deref(), Ok("two\n\nten\n\nnote"));
}

#[test]
fn sheets_are_read_row_by_row() {
    let rows = r#"<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1"><v>12.5</v></c></row>
        <row r="9"><c r="B9" s="1"><v>45000</v></c><c r="C9" t="b"><v>1</v></c></row>"#;
    let text = read_sheets(&workbook(rows, "<si><t>Rent</t></si>"));
    assert_eq!(text.as_deref(), Ok("Costs\nRent\t12.5\n2023-03-15\tTRUE"));
}

#[test]
fn cells_far_apart_take_no_room_between_them() {
    let rows = r#"<row r="1"><c r="A1"><v>1</v></c></row>
        <row r="1048576"><c r="XFD1048576"><v>2</v></c></row>"#;
    assert_eq!(
        read_sheets(&workbook(rows, "")).as_deref(),
        Ok("Costs\n1\n2")
    );
}

#[test]
fn a_shared_string_counts_as_often_as_it_is_shown() {
    let strings = format!("<si><t>{}</t></si>", "x".repeat(10_000));
    let row = r#"<row r="1"><c r="A1" t="s"><v>0</v></c></row>"#;
    assert!(read_sheets(&workbook(&row.repeat(99), &strings)).is_ok());
    assert_eq!(
        read_sheets(&workbook(&row.repeat(100), &strings)),
        Err(Unreadable::TooMuchText {
            kind: Kind::Spreadsheet,
            limit_chars: crate::text::MAX_TEXT_CHARS
        })
    );
}

#[test]
fn entities_that_a_file_defines_are_not_expanded() {
    let body = format!("{BOMB}<w:document><w:p><w:t>x&b;y&lt;</w:t></w:p></w:document>");
    let file = package(&[("word/document.xml", body.as_bytes())]);
    assert_eq!(read_words(&file).as_deref(), Ok("xy<"));

    // `calamine` refuses the reference, and nothing else of the file.
    let kind = Kind::Spreadsheet;
    let shared = |text: &str| {
        let row = r#"<row r="1"><c r="A1" t="s"><v>0</v></c></row>"#;
        read_sheets(&workbook(row, &format!("<si><t>{text}</t></si>")))
    };
    assert_eq!(shared("x&lt;y").as_deref(), Ok("Costs\nx<y"));
    assert_eq!(shared("x&b;y"), Err(Unreadable::Damaged { kind }));
    let inline = |text: &str| {
        let cell = format!(r#"<c r="A1" t="inlineStr"><is><t>{text}</t></is></c>"#);
        read_sheets(&workbook(&format!(r#"<row r="1">{cell}</row>"#), ""))
    };
    assert_eq!(inline("x&lt;y").as_deref(), Ok("Costs\nx<y"));
    assert_eq!(inline("x&b;y"), Err(Unreadable::Damaged { kind }));
}

#[test]
fn packages_unpack_up_to_their_limit_and_no_further() {
    let too_much = |kind| {
        Err(Unreadable::TooMuchUnpacked {
            kind,
            limit_bytes: MAX_UNPACKED_BYTES,
        })
    };
    let frame = "<w:document><w:body></w:body></w:document>".len();
    let body = " ".repeat(MAX_UNPACKED_BYTES - frame);
    assert_eq!(read_words(&words(&body)), Ok(String::new()));
    let bomb = words(&format!("{body} "));
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    assert_eq!(read_words(&bomb), too_much(Kind::Document));

    let spaces = vec![b' '; MAX_UNPACKED_BYTES / 2];
    let slides = package(&[
        ("ppt/slides/slide1.xml", &spaces),
        ("ppt/slides/slide2.xml", &spaces),
        ("ppt/slides/slide3.xml", b" "),
    ]);
    assert_eq!(read_slides(&slides), too_much(Kind::Presentation));
    assert_eq!(
        read_sheets(&workbook("", &" ".repeat(MAX_UNPACKED_BYTES))),
        too_much(Kind::Spreadsheet)
    );
}

#[test]
fn packages_have_parts_up_to_their_limit_and_no_more() {
    let names: Vec<String> = (0..MAX_PARTS).map(|part| format!("x{part}")).collect();
    let mut parts: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    parts[0].0 = "word/document.xml";
    assert_eq!(read_words(&package(&parts)), Ok(String::new()));
    parts.push(("one more", b""));
    assert_eq!(
        read_words(&package(&parts)),
        Err(Unreadable::TooManyParts {
            kind: Kind::Document,
            limit: MAX_PARTS
        })
    );
}

#[test]
fn what_is_no_package_is_damaged_and_a_compound_file_locked() {
    let kind = Kind::Document;
    let damaged = Err(Unreadable::Damaged { kind });
    let file = words("<w:p><w:t>x</w:t></w:p>");
    assert_eq!(read_words(&file[..file.len() - 30]), damaged);
    assert_eq!(read_words(&package(&[("other.xml", b"")])), damaged);
    assert_eq!(read_words(&words("<w:p></w:q>")), damaged);
    assert_eq!(read_words(&COMPOUND_FILE), Err(Unreadable::Locked { kind }));
}
