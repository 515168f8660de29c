use super::{
    super::{
        super::tests::{pages, pdf, stream},
        read,
    },
    *,
};

/// A PDF whose page says `kept`, with these objects after it.
fn beside(others: &[Vec<u8>]) -> Vec<u8> {
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
            .to_vec(),
        stream("", b"BT /F1 12 Tf (kept) Tj ET"),
    ];
    objects.extend_from_slice(others);
    pdf(&objects)
}

#[test]
fn a_list_is_read_up_to_its_limit_and_no_further() {
    let list = |count: usize| format!("[{}]", "0 ".repeat(count)).into_bytes();
    assert_eq!(read(&beside(&[list(200_000)])).as_deref(), Ok("kept"));
    assert_eq!(read(&beside(&[list(300_000)])), Err(TOO_LARGE));
}

#[test]
fn objects_are_read_up_to_their_limit_and_no_further() {
    let lists = |count: usize| vec![format!("[{}]", "<<>>".repeat(10_000)).into_bytes(); count];
    assert_eq!(read(&beside(&lists(50))).as_deref(), Ok("kept"));
    assert_eq!(read(&beside(&lists(120))), Err(TOO_LARGE));
}

#[test]
fn a_stream_of_objects_is_read_up_to_its_limit_and_no_further() {
    // All members are the same list.
    let members = |count: usize| {
        let index: String = (0..count)
            .map(|number| format!("{} 0 ", number + 100))
            .collect();
        let list = format!("[{}]", "0 ".repeat(10_000));
        let entries = format!("/Type /ObjStm /N {count} /First {}", index.len());
        stream(&entries, format!("{index}{list}").as_bytes())
    };
    assert_eq!(read(&beside(&[members(50)])).as_deref(), Ok("kept"));
    assert_eq!(read(&beside(&[members(500)])), Err(TOO_LARGE));
}

#[test]
fn entries_that_point_to_the_same_bytes_are_read_up_to_their_limit_and_no_further() {
    let file = |count: usize| {
        let file = beside(&[stream("", &vec![b'x'; 1 << 20])]);
        let file = String::from_utf8(file).unwrap();
        let place = file.find("6 0 obj").unwrap();
        let entries = format!("{place:010} 00000 n \n").repeat(count);
        let size = 7 + count;
        file.replacen("0 7\n", &format!("0 {size}\n"), 1)
            .replacen("trailer", &format!("{entries}trailer"), 1)
            .into_bytes()
    };
    assert_eq!(read(&file(100)).as_deref(), Ok("kept"));
    assert_eq!(read(&file(200)), Err(TOO_LARGE));
}

#[test]
fn objects_that_have_no_end_are_refused() {
    let lists = vec![b"[".to_vec(); 2_000];
    let file = String::from_utf8(beside(&lists)).unwrap();
    assert_eq!(
        read(file.replace("\nendobj", "").as_bytes()),
        Err(TOO_LARGE)
    );
}

#[test]
fn a_page_that_draws_too_much_does_not_hide_the_others() {
    let text: &[u8] = b"BT /F1 12 Tf (kept) Tj ET";
    let draws = |count: usize| [text, &b" 0 0 m".repeat(count)].concat();
    let (little, much) = (draws(100_000), draws(200_000));
    assert_eq!(
        read(&pages(&[&little, text])).as_deref(),
        Ok("kept\n\nkept")
    );
    assert_eq!(read(&pages(&[&much, text])).as_deref(), Ok("kept"));
}

#[test]
fn a_file_that_has_lost_its_pages_is_mended() {
    let file = String::from_utf8(beside(&[])).unwrap();
    let place = file.find("2 0 obj").unwrap();
    let broken = file.replacen(&format!("{place:010}"), "0000000001", 1);
    assert_ne!(broken, file);
    assert_eq!(read(broken.as_bytes()).as_deref(), Ok("kept"));
}
