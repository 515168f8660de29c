//! How many objects `lopdf` will find in bytes, before it does.

use super::load::TooLarge;

/// The most objects that lie in one: a list is copied when it grows.
const MAX_IN_ONE: usize = 250_000;
/// The most objects of a file.
const MAX_OBJECTS: usize = 2_000_000;
/// How often each byte may be read, on average.
const MAX_REPEATS: usize = 4;

/// What begins an object, in a file.
const MARKERS: [&[u8]; 2] = [b"obj", b"trailer"];
const END: &[u8] = b"endobj";

/// Keywords that are objects.
const KEYWORDS: [&[u8]; 3] = [b"null", b"true", b"false"];

/// Refuses a file whose objects are too many, or lie in each other.
pub(super) fn check(file: &[u8]) -> Result<(), TooLarge> {
    let (mut all, mut read) = (0, 0);
    let ends_here = |place: usize| file[..place].ends_with(b"end");
    for place in 0..file.len() {
        let Some(marker) = MARKERS
            .iter()
            .find(|marker| file[place..].starts_with(marker))
        else {
            continue;
        };
        if ends_here(place) {
            continue;
        }
        let rest = &file[place + marker.len()..];
        let object = first(rest);
        let count = count(object);
        all += count;
        // What is encrypted is copied up to its end.
        read += object.len() + find(rest, END).unwrap_or(rest.len());
        if count > MAX_IN_ONE || all > MAX_OBJECTS || read > 2 * MAX_REPEATS * file.len() {
            return Err(TooLarge);
        }
    }
    Ok(())
}

/// So many objects begin in these bytes at most.
pub(super) fn count(bytes: &[u8]) -> usize {
    let (mut count, mut dots, mut before) = (0, 0, b' ');
    for (place, &byte) in bytes.iter().enumerate() {
        let is_in_number = is_of_number(before);
        let begins = match byte {
            b'/' | b'(' | b'<' | b'[' => true,
            b'n' | b't' | b'f' => KEYWORDS.iter().any(|word| bytes[place..].starts_with(word)),
            b'+' | b'-' => {
                dots = 0;
                true
            }
            // A second point begins another number.
            b'.' => {
                dots = if is_in_number { dots + 1 } else { 1 };
                !is_in_number || dots > 1
            }
            b'0'..=b'9' if !is_in_number => {
                dots = 0;
                true
            }
            _ => false,
        };
        count += usize::from(begins);
        before = byte;
    }
    count
}

/// The bytes of the first object; all of them, if it does not end.
pub(super) fn first(bytes: &[u8]) -> &[u8] {
    let mut rest = after_space(bytes);
    rest = match rest.first() {
        Some(b'[' | b'<') => after_container(rest),
        Some(b'(') => after_string(rest),
        Some(_) => {
            let is_end = |byte: &u8| is_space(*byte) || b"()<>[]{}/%".contains(byte);
            let length = rest.iter().skip(1).position(is_end);
            length.map_or(&[][..], |length| &rest[1 + length..])
        }
        None => rest,
    };
    &bytes[..bytes.len() - rest.len()]
}

/// `[…]` and `<<…>>`, in any depth; each sign counts.
fn after_container(mut rest: &[u8]) -> &[u8] {
    let mut depth = 0_usize;
    while let Some((byte, others)) = rest.split_first() {
        rest = match byte {
            b'(' => after_string(rest),
            b'%' => after_line(rest),
            _ => others,
        };
        match byte {
            b'[' | b'<' => depth += 1,
            b']' | b'>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    rest
}

/// A string, which may have pairs of brackets in it (7.3.4.2).
fn after_string(mut rest: &[u8]) -> &[u8] {
    let mut depth = 0_usize;
    while let Some((byte, others)) = rest.split_first() {
        rest = match byte {
            b'\\' => others.get(1..).unwrap_or_default(),
            _ => others,
        };
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    rest
}

fn after_line(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|byte| b"\r\n".contains(byte));
    end.map_or(&[][..], |end| &rest[end..])
}

fn after_space(mut rest: &[u8]) -> &[u8] {
    while let Some((byte, others)) = rest.split_first() {
        rest = match byte {
            b'%' => after_line(rest),
            byte if is_space(*byte) => others,
            _ => break,
        };
    }
    rest
}

fn is_space(byte: u8) -> bool {
    b" \t\n\r\0\x0c".contains(&byte)
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'.' | b'0'..=b'9')
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_objects_are_found_than_are_counted() {
        let table: [(&[u8], usize); 12] = [
            (b"", 0),
            (b"[0 0 0]", 4),
            (b"////", 4),
            (b"()()(a)", 3),
            (b"+1-2+3", 3),
            (b"1.2.3.4", 3),
            (b"-.5 .5 0.5", 3),
            (b"nulltruefalse", 3),
            (b"true1null2", 4),
            (b"12 0 R", 2),
            (b"<<>>", 2),
            (b"name", 0),
        ];
        for (bytes, expected) in table {
            let name = String::from_utf8_lossy(bytes);
            assert_eq!(count(bytes), expected, "{name}");
        }
    }

    #[test]
    fn an_object_ends_where_its_signs_do() {
        let table: [(&[u8], &[u8]); 9] = [
            (b" 12 0 R", b" 12"),
            (b"/Name/Other", b"/Name"),
            (b"[1 [2] (]) %]\n 3] 4", b"[1 [2] (]) %]\n 3]"),
            (b"<</A <41>>> 4", b"<</A <41>>>"),
            (b"(a (b) \\) c) d", b"(a (b) \\) c)"),
            (b"%no\n(yes) no", b"%no\n(yes)"),
            (b"[1 2", b"[1 2"),
            (b"(a", b"(a"),
            (b"", b""),
        ];
        for (bytes, expected) in table {
            let name = String::from_utf8_lossy(bytes);
            assert_eq!(first(bytes), expected, "{name}");
        }
    }
}
