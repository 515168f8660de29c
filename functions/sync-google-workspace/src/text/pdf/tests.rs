use super::{
    super::tests::{pages, pdf, stream},
    *,
};

#[test]
fn letters_become_words_lines_and_paragraphs() {
    let content = b"BT /F1 12 Tf 14 TL 72 700 Td [(Inv) 15 (oice) -300 (No) -250 (7)] TJ
        T* (Gr\\374\\337e \\200) Tj 0 -40 Td (Total) ' ET
        BT /F1 12 Tf 1 0 0 1 72 500 Tm (left) Tj 1 0 0 1 300 500 Tm (right) Tj ET";
    assert_eq!(
        read(&pages(&[content, b"BT /F1 9 Tf 72 700 Td (two) Tj ET"])).as_deref(),
        Ok("Invoice No 7\nGrüße €\n\nTotal\n\nleft right\n\ntwo")
    );
}

/// A page that draws the form 6, with these forms from 6 on.
fn drawing(forms: &[(&str, &[u8])]) -> Vec<u8> {
    let page = "<< /Type /Page /Parent 2 0 R /Contents 5 0 R /Resources \
        << /Font << /F1 3 0 R >> /XObject << /X 6 0 R >> >> >>";
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        page.as_bytes().to_vec(),
        stream("", b"/X Do"),
    ];
    for (resources, content) in forms {
        objects.push(stream(
            &format!("/Type /XObject /Subtype /Form {resources}"),
            content,
        ));
    }
    pdf(&objects)
}

#[test]
fn drawings_are_read_with_fonts_of_their_own_or_of_the_page() {
    let resources = "/Resources << /Font << /F9 3 0 R >> >>";
    let own = drawing(&[(resources, b"BT /F9 12 Tf (stamp) Tj ET")]);
    assert_eq!(read(&own).as_deref(), Ok("stamp"));
    let pages = drawing(&[("", b"BT /F1 12 Tf (stamp) Tj ET")]);
    assert_eq!(read(&pages).as_deref(), Ok("stamp"));
}

#[test]
fn drawings_that_draw_themselves_end() {
    let file = drawing(&[("", b"BT /F1 12 Tf (a) Tj ET /X Do")]);
    assert_eq!(read(&file).unwrap().matches('a').count(), MAX_DEPTH);
}

#[test]
fn drawings_that_draw_many_are_refused() {
    let many = b"/X Do ".repeat(100);
    assert_eq!(read(&drawing(&[("", &many)])), Err(TOO_MUCH));
}

#[test]
fn streams_unpack_up_to_their_limit_and_no_further() {
    let page = |bytes: usize| {
        let mut document = Document::load_mem(&pages(&[b""])).unwrap();
        let stream = document
            .get_object_mut((5, 0))
            .unwrap()
            .as_stream_mut()
            .unwrap();
        stream.set_plain_content(vec![b' '; bytes]);
        stream.compress().unwrap();
        let mut file = Vec::new();
        document.save_to(&mut file).unwrap();
        assert!(file.len() < 100_000, "{}", file.len());
        read(&file)
    };
    assert_eq!(page(MAX_STREAM_BYTES - 1), Ok(String::new()));
    assert_eq!(page(MAX_STREAM_BYTES + 1), Err(TOO_MUCH));
}

#[test]
fn all_streams_together_unpack_up_to_their_limit() {
    let content = vec![b' '; MAX_STREAM_BYTES - 1];
    let content = content.as_slice();
    let count = MAX_UNPACKED_BYTES / MAX_STREAM_BYTES;
    assert_eq!(read(&pages(&vec![content; count])), Ok(String::new()));
    assert_eq!(read(&pages(&vec![content; count + 1])), Err(TOO_MUCH));
}

#[test]
fn pages_are_read_up_to_their_limit_and_no_further() {
    let page: &[u8] = b"";
    assert_eq!(read(&pages(&vec![page; MAX_PAGES])), Ok(String::new()));
    assert_eq!(
        read(&pages(&vec![page; MAX_PAGES + 1])),
        Err(Unreadable::TooManyParts {
            kind: Kind::Pdf,
            limit: MAX_PAGES
        })
    );
}

#[test]
fn a_truncated_file_is_read_as_far_as_it_goes_or_refused() {
    let file = pages(&[b"BT /F1 12 Tf (kept) Tj ET"]);
    let table = file
        .windows(4)
        .position(|window| window == b"xref")
        .unwrap();
    let damaged = Err(Unreadable::Damaged { kind: Kind::Pdf });
    for length in 0..file.len() {
        let text = read(&file[..length]);
        assert!(
            text == damaged || matches!(text.as_deref(), Ok("" | "kept")),
            "{text:?}"
        );
    }
    assert_eq!(read(&file[..20]), damaged);
    assert_eq!(read(&file[..table]).as_deref(), Ok("kept"));
}

#[test]
fn pages_in_a_circle_and_deep_arrays_end() {
    let circle = pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 3 0 R] /Count 9 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>".to_vec(),
        stream("", b"BT (x) Tj ET"),
    ]);
    assert!(matches!(read(&circle).as_deref(), Ok("") | Err(_)));
    let deep = [b"[".repeat(200_000), b"]".repeat(200_000)].concat();
    let deep = pdf(&[deep.clone(), deep.clone(), stream("", &deep)]);
    assert!(matches!(read(&deep).as_deref(), Ok("") | Err(_)));
    assert_eq!(read(&pages(&[&b"[".repeat(200_000)])).as_deref(), Ok(""));
}

/// A page in a font of two bytes a letter, with this map to Unicode and these widths.
fn composite(map: &[u8], widths: &str) -> Vec<u8> {
    pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_vec(),
        stream("", b"BT /F1 10 Tf [<0001> -50 <0002>] TJ 20 0 Td <0001> Tj ET"),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /ToUnicode 6 0 R /DescendantFonts [7 0 R] >>".to_vec(),
        stream("", map),
        format!("<< /Type /Font /Subtype /CIDFontType2 /BaseFont /A /DW 1000 /W {widths} >>").into_bytes(),
    ])
}

#[test]
fn composite_fonts_are_read_through_their_map() {
    let map = b"/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
2 beginbfchar
<0001> <6F22>
<0002> <00660069>
endbfchar
endcmap
CMapName currentdict /CMap defineresource pop
end
end";
    let file = composite(map, "[1 [1000] 2 2 500]");
    assert_eq!(read(&file).as_deref(), Ok("漢fi 漢"));
}

/// A kilobyte that would become 34 GB.
#[test]
fn a_font_whose_map_covers_everything_is_passed_over() {
    let map = |range: &str| {
        format!(
            "/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
1 beginbfrange
{range} <0041>
endbfrange
endcmap
CMapName currentdict /CMap defineresource pop
end
end"
        )
    };
    let usual = composite(map("<0001> <0002>").as_bytes(), "[]");
    assert_eq!(read(&usual).unwrap().replace(' ', ""), "ABA");
    let huge = composite(map("<00000001> <FFFFFFFE>").as_bytes(), "[]");
    assert_eq!(read(&huge).as_deref(), Ok(""));
}

/// Each triple would set all widths anew.
#[test]
fn widths_that_are_repeated_end() {
    let map = b"begincmap 1 beginbfrange <0001> <0002> <0041> endbfrange endcmap end";
    let widths = format!("[{}]", "0 65535 1 ".repeat(80_000));
    assert!(read(&composite(map, &widths)).is_ok());
}
