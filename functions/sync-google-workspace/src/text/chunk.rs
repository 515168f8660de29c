use std::cmp::max;

use bpe_openai::cl100k_base;
use text_splitter::{ChunkConfig, ChunkConfigError, ChunkSizer, TextSplitter};

/// Tokens of a chunk, at most.
const CHUNK_TOKENS: usize = 400;
/// Tokens that a chunk repeats of the one before, at most.
const OVERLAP_TOKENS: usize = 50;
/// The most chunks of one text.
pub const MAX_CHUNKS: usize = 500;
/// How much of a text the splitter sees at once: its time grows faster than the text where there
/// are no sentences, and this much is always more than one chunk of words.
const WINDOW_BYTES: usize = 16 << 10;

/// The pieces of a text, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chunks {
    pub texts: Vec<String>,
    /// Bytes of the text beyond [`MAX_CHUNKS`], which were not cut.
    pub left_out: usize,
}

/// Cuts a text at paragraphs, sentences or words into chunks of about 400 tokens.
///
/// Chunks overlap by up to 50 tokens. The same text always has the same chunks; one of spaces only
/// has none.
#[must_use]
pub fn chunk(text: &str) -> Chunks {
    chunk_up_to(MAX_CHUNKS, text.trim())
}

fn chunk_up_to(limit: usize, text: &str) -> Chunks {
    let mut chunks = Chunks::default();
    let Ok(config) = config() else {
        return chunks;
    };
    let splitter = TextSplitter::new(config);
    let mut start = 0;
    while start < text.len() {
        let end = text.floor_char_boundary(start + WINDOW_BYTES);
        let mut pieces: Vec<_> = splitter.chunk_indices(&text[start..end]).collect();
        let mut next = end;
        // The last piece ends where the window does, so that it is cut again in the next one.
        if end < text.len()
            && pieces.len() > 1
            && let Some((offset, _)) = pieces.pop()
        {
            next = start + offset;
        }
        for (offset, piece) in pieces {
            if chunks.texts.len() == limit {
                chunks.left_out = text.len() - start - offset;
                return chunks;
            }
            chunks.texts.push(piece.to_owned());
        }
        start = max(next, start + 1);
    }
    chunks
}

fn config() -> Result<ChunkConfig<Tokens>, ChunkConfigError> {
    ChunkConfig::new(CHUNK_TOKENS)
        .with_sizer(Tokens)
        .with_overlap(OVERLAP_TOKENS)
}

/// Counts the tokens of OpenAI's embedding models; those of other vendors are about as many.
struct Tokens;

impl ChunkSizer for Tokens {
    fn size(&self, chunk: &str) -> usize {
        cl100k_base().count(chunk)
    }
}

#[cfg(test)]
mod tests;
