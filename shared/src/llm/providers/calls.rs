use super::http::malformed;
use crate::llm::Error;

/// The most calls of tools in one answer; OpenAI takes no more tools than this
/// (<https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools>).
const MAX_CALLS: usize = 128;

/// Numbers the calls of an answer from 0 in the order they come, whatever a vendor numbers them by:
/// whoever collects them makes room up to the highest number.
pub(super) struct Calls<K>(Vec<K>);

impl<K> Default for Calls<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq> Calls<K> {
    /// The number of a call, which may be new.
    pub(super) fn index(&mut self, key: K) -> Result<usize, Error> {
        if let Some(index) = self.find(&key) {
            return Ok(index);
        }
        if self.0.len() >= MAX_CALLS {
            return Err(malformed("the answer has too many calls of tools"));
        }
        self.0.push(key);
        Ok(self.0.len() - 1)
    }

    /// The number of a call that there is.
    pub(super) fn find(&self, key: &K) -> Option<usize> {
        self.0.iter().position(|known| known == key)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
