use super::*;

const SENTENCE: &str =
    "The contract ends in March and the rent of the office rises by two percent. ";

#[test]
fn an_empty_text_has_no_chunk() {
    assert_eq!(chunk(""), Chunks::default());
    assert_eq!(chunk(" \n\t\n "), Chunks::default());
    assert_eq!(chunk(&"\n ".repeat(50_000)), Chunks::default());
}

#[test]
fn a_short_text_is_one_chunk() {
    assert_eq!(chunk("  Hello. ").texts, ["Hello."]);
}

#[test]
fn chunks_end_at_sentences_and_overlap() {
    let text = SENTENCE.repeat(600);
    let chunks = chunk(&text).texts;
    let sentence_tokens = Tokens.size(SENTENCE.trim_end());
    for pair in chunks.windows(2) {
        assert!(pair[0].starts_with("The contract") && pair[0].ends_with("percent."));
        assert!(
            (340..=CHUNK_TOKENS).contains(&Tokens.size(&pair[0])),
            "{}",
            Tokens.size(&pair[0])
        );
    }
    // Each chunk repeats what fits of whole sentences in the overlap.
    let repeated = OVERLAP_TOKENS / sentence_tokens;
    let sentences: usize = chunks
        .iter()
        .map(|piece| piece.matches("percent.").count())
        .sum();
    let overlaps = (sentences - 600).abs_diff((chunks.len() - 1) * repeated);
    assert!(
        repeated >= 2 && overlaps <= repeated,
        "{sentences} in {}",
        chunks.len()
    );
}

#[test]
fn paragraphs_stay_whole_where_they_fit() {
    let paragraph = SENTENCE.repeat(15);
    let text = [paragraph.trim(); 8].join("\n\n");
    assert!(
        chunk(&text)
            .texts
            .iter()
            .all(|piece| piece == paragraph.trim())
    );
}

#[test]
fn the_same_text_has_the_same_chunks() {
    let text = SENTENCE.repeat(200);
    assert_eq!(chunk(&text), chunk(&text));
}

#[test]
fn what_is_beyond_the_most_chunks_is_counted() {
    let text = SENTENCE.repeat(200);
    let all = chunk_up_to(100, &text);
    assert_eq!(all.left_out, 0);
    let count = all.texts.len();
    assert_eq!(chunk_up_to(count, &text), all);
    let some = chunk_up_to(count - 2, &text);
    assert!((1..text.len()).contains(&some.left_out));
    assert_eq!(some.texts, all.texts[..count - 2]);
}

#[test]
fn no_word_of_a_text_without_spaces_is_lost() {
    let text: String = (0..6_000).map(|number| format!("{number:05x}")).collect();
    let chunks = chunk(&text).texts;
    let mut end = 0;
    for piece in &chunks {
        let start = text.find(piece.as_str()).unwrap();
        assert!(start <= end, "a gap before {start}");
        end = start + piece.len();
    }
    assert_eq!(end, text.len());
}
