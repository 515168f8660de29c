// The table of webhook signatures, as Stripe's own library sees it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';

import Stripe from 'stripe';

const TABLE = new URL('../contracts/stripe-signatures.json', import.meta.url);
const TOLERANCE_SECS = 300;

const { now, rows } = JSON.parse(await readFile(TABLE, 'utf8'));

function accepts({ secrets, headers, body }) {
  // A server reads the bytes of a header as Latin-1, and joins its lines.
  const lines = headers.map((line) => Buffer.from(line, 'base64').toString('latin1'));
  const header = lines.length > 0 ? lines.join(', ') : undefined;
  const payload = Buffer.from(body, 'base64');
  return secrets.some((secret) => {
    try {
      Stripe.webhooks.constructEvent(
        payload, header, secret, TOLERANCE_SECS, undefined, Date.parse(now),
      );
      return true;
    } catch {
      return false;
    }
  });
}

describe('Stripe’s library', () => {
  test('has a table to be asked about', () => {
    assert.ok(rows.length >= 60);
    assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length);
  });

  for (const row of rows) {
    const verb = row.official.node ? 'accepts' : 'refuses';
    test(`${verb}: ${row.name}`, () => assert.equal(accepts(row), row.official.node));
  }
});
