"""The table of webhook signatures, as Stripe's own library sees it."""

import json
import unittest
from base64 import b64decode
from datetime import datetime
from unittest.mock import patch

import stripe

import stripe_signatures


def accepts(row, now):
    # A server reads the bytes of a header as Latin-1, and joins its lines.
    lines = [b64decode(line).decode("latin-1") for line in row["headers"]]
    header = ", ".join(lines) if lines else None
    body = b64decode(row["body"])
    for secret in row["secrets"]:
        try:
            with patch("stripe._webhook.time.time", return_value=now):
                stripe.Webhook.construct_event(body, header, secret)
            return True
        # It does not expect every text.
        except (stripe.SignatureVerificationError, TypeError, ValueError):
            continue
    return False


class Signatures(unittest.TestCase):
    def test_the_table_is_what_its_program_makes(self):
        kept = json.loads(stripe_signatures.TABLE.read_text())
        self.assertEqual(kept, stripe_signatures.table())

    def test_the_library_answers_as_each_row_says(self):
        table = stripe_signatures.table()
        now = datetime.fromisoformat(table["now"]).timestamp()
        self.assertGreaterEqual(len(table["rows"]), 60)
        names = [row["name"] for row in table["rows"]]
        self.assertEqual(len(set(names)), len(names))
        for row in table["rows"]:
            with self.subTest(row["name"]):
                self.assertEqual(accepts(row, now), row["official"]["python"])
