//! Mails of plain text and HTML, with quotations and files of text, each like no other and always
//! the same.

use rand::{Rng, SeedableRng, rngs::StdRng};

const WORDS: [&str; 48] = [
    "the",
    "engine",
    "order",
    "is",
    "late",
    "and",
    "contract",
    "ends",
    "in",
    "March",
    "we",
    "have",
    "to",
    "pay",
    "rent",
    "of",
    "office",
    "before",
    "Friday",
    "please",
    "send",
    "invoice",
    "with",
    "number",
    "delivery",
    "from",
    "Hamburg",
    "arrived",
    "yesterday",
    "but",
    "two",
    "boxes",
    "were",
    "damaged",
    "our",
    "customer",
    "asks",
    "for",
    "a",
    "discount",
    "meeting",
    "moved",
    "plan",
    "budget",
    "next",
    "quarter",
    "review",
    "thanks",
];

/// Words of a mail, without what it quotes.
const LENGTH: std::ops::Range<usize> = 40..600;

/// The mail of a number (RFC 5322).
pub(super) fn compose(number: usize) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(number as u64);
    let count = random.random_range(LENGTH);
    let mut text = format!("Mail {number}.\r\n\r\n{}", words(&mut random, count));
    if number % 4 == 1 {
        let quoted = words(&mut random, 80).replace("\r\n", "\r\n> ");
        text.push_str("\r\nOn Mon, Nov 23, 2026 at 10:02 AM Ada <ada@example.com> wrote:\r\n> ");
        text.push_str(&quoted);
    }
    let body = match (number % 3, number % 10) {
        (0, _) => alternatives(&text),
        (_, 5) => with_file(&text, &mut random),
        _ => format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"),
    };
    let head = format!(
        "From: Grace <grace@example.com>\r\nTo: Ada <ada@example.com>\r\nSubject: Order {number}\r\n\
         Message-ID: <{number}@example.com>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n\
         MIME-Version: 1.0\r\n"
    );
    (head + &body).into_bytes()
}

fn alternatives(text: &str) -> String {
    let html = text.replace("\r\n", "<br>\r\n");
    format!(
        "Content-Type: multipart/alternative; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n\
         --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<div>{html}</div>\r\n--b--\r\n"
    )
}

fn with_file(text: &str, random: &mut StdRng) -> String {
    let rows: String = (0..40)
        .map(|row| {
            format!(
                "{row},{},{}\r\n",
                words(random, 2),
                random.random_range(1..900)
            )
        })
        .collect();
    format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n\
         --b\r\nContent-Type: text/csv\r\n\
         Content-Disposition: attachment; filename=list.csv\r\n\r\n{rows}\r\n--b--\r\n"
    )
}

/// Words in sentences and lines.
fn words(random: &mut StdRng, count: usize) -> String {
    let mut text = String::new();
    for place in 1..=count {
        text.push_str(WORDS[random.random_range(0..WORDS.len())]);
        text.push_str(match place {
            place if place.is_multiple_of(60) => ".\r\n\r\n",
            place if place.is_multiple_of(12) => ".\r\n",
            _ => " ",
        });
    }
    text
}
