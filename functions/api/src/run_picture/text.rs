//! Texts in pictures.

use super::outcome::{Count, Outcome, State};

/// A duration as people read it.
pub(super) fn duration(ms: i64) -> String {
    let (seconds, minutes) = (ms / 1_000, ms / 60_000);
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{seconds}.{} s", ms % 1_000 / 100),
        60_000..3_600_000 => format!("{minutes} min {} s", seconds % 60),
        3_600_000..86_400_000 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1_440, minutes / 60 % 24),
    }
}

/// What became of a node, in parts.
pub(super) fn outcome(outcome: &Outcome) -> Vec<String> {
    let mut parts = vec![outcome.state.word().to_owned()];
    if let Some(count) = &outcome.count {
        parts = counts(count, outcome.state);
    }
    parts.extend(outcome.duration_ms.map(duration));
    if outcome.attempts > 1 {
        parts.push(format!("{} attempts", outcome.attempts));
    }
    parts
}

fn counts(count: &Count, state: State) -> Vec<String> {
    let numbers = [
        (count.done, "done"),
        (count.failed, "failed"),
        (count.open, "open"),
    ];
    let numbers = numbers.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = numbers
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    match parts.is_empty() {
        true => vec![state.word().to_owned()],
        false => parts,
    }
}

/// The text on one line, with an ellipsis if it takes more than `columns`.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut width = 0;
    let fitting = text.char_indices().find(|(_, c)| {
        width += columns_of(*c);
        width > columns
    });
    match fitting {
        None => text,
        Some(_) => {
            let mut width = 1;
            let kept = text.chars().take_while(|c| {
                width += columns_of(*c);
                width <= columns
            });
            format!("{}…", kept.collect::<String>().trim_end())
        }
    }
}

/// How wide a text is, in columns of a narrow letter.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// Scripts from Hangul Jamo on, and pictures, are about twice as wide as letters.
fn columns_of(c: char) -> usize {
    if c < '\u{1100}' || ('\u{2000}'..'\u{2600}').contains(&c) {
        1
    } else {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let table = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (59_999, "59.9 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h 0 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (ms, expected) in table {
            assert_eq!(duration(ms), expected);
        }
    }

    #[test]
    fn long_texts_end_with_an_ellipsis_within_their_columns() {
        assert_eq!(shorten(" a\n b ", 3), "a b");
        assert_eq!(shorten("abcd", 4), "abcd");
        assert_eq!(shorten("abcde", 4), "abc…");
        assert_eq!(shorten("请求处理", 6), "请求…");
    }
}
