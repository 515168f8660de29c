//! How much a map from codes to Unicode covers, before it is unrolled.

/// How many codes its ranges cover. A range is `<first> <last> <text>` or `<first> <last> [<text> …]`
/// between `beginbfrange` and `endbfrange`
/// (<https://adobe-type-tools.github.io/font-tech-notes/pdfs/5411.ToUnicode.pdf>).
pub(super) fn covered(map: &[u8]) -> u64 {
    let mut sum = 0_u64;
    let mut rest = map;
    while let Some(begin) = find(rest, b"beginbfrange") {
        rest = rest.get(begin..).unwrap_or_default();
        let end = find(rest, b"endbfrange").unwrap_or(rest.len());
        let (section, others) = rest.split_at(end);
        sum = sum.saturating_add(covered_by(section));
        rest = others;
    }
    sum
}

fn covered_by(section: &[u8]) -> u64 {
    let (mut sum, mut codes, mut rest) = (0_u64, Vec::new(), section);
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        match first {
            b'<' => {
                let end = find(rest, b">").unwrap_or(rest.len());
                let (digits, others) = rest.split_at(end);
                codes.push(number(digits));
                rest = others;
            }
            b'[' => {
                let end = find(rest, b"]").unwrap_or(rest.len());
                codes.push(0);
                rest = rest.get(end..).unwrap_or_default();
            }
            _ => {}
        }
        if let [first, last, _] = codes[..] {
            let count = last.saturating_sub(first).saturating_add(1);
            sum = sum.saturating_add(count);
            codes.clear();
        }
    }
    sum
}

/// The place after it.
fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let place = bytes.windows(what.len()).position(|window| window == what);
    place.map(|place| place + what.len())
}

/// A code has at most four bytes; a longer one counts as the largest.
fn number(digits: &[u8]) -> u64 {
    let digits = digits
        .iter()
        .filter_map(|digit| char::from(*digit).to_digit(16));
    digits.fold(0, |number: u64, digit| {
        number.saturating_mul(16).saturating_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_their_codes_and_nothing_else_does() {
        let table: [(&[u8], u64); 7] = [
            (b"", 0),
            (b"1 beginbfchar <0001> <FFFF> endbfchar", 0),
            (b"1 beginbfrange <0001> <0010> <0041> endbfrange", 16),
            (
                b"1 beginbfrange\n<00 01><00 10>[<0041> <0042>]\nendbfrange",
                16,
            ),
            (
                b"beginbfrange <01> <02> <41> <03> <03> [<42>] endbfrange",
                3,
            ),
            (
                b"beginbfrange <01> <02> <41> endbfrange beginbfrange <01> <02> <41> endbfrange",
                4,
            ),
            (
                b"beginbfrange <00000001> <FFFFFFFE> <0041> endbfrange",
                0xFFFF_FFFE,
            ),
        ];
        for (map, expected) in table {
            assert_eq!(covered(map), expected, "{}", String::from_utf8_lossy(map));
        }
    }

    #[test]
    fn a_section_without_end_counts() {
        assert_eq!(covered(b"beginbfrange <01> <02> <41>"), 2);
        assert_eq!(covered(b"beginbfrange <01> <02> <41"), 2);
    }
}
