"""all-MiniLM-L6-v2 with mean pooling, as its card tells."""

import numpy
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

MAX_TOKENS = 256


class Encoder:
    def __init__(self, weights, tokenizer):
        self._session = InferenceSession(weights)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def encode(self, texts):
        """A row for each text."""
        return numpy.stack([self._place(text) for text in texts])

    def _place(self, text):
        ids = numpy.array([self._tokenizer.encode(text).ids])
        inputs = {
            "input_ids": ids,
            "attention_mask": numpy.ones_like(ids),
            "token_type_ids": numpy.zeros_like(ids),
        }
        (states,) = self._session.run(["last_hidden_state"], inputs)
        return states[0].mean(axis=0)
