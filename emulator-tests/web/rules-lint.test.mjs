// `firestore.rules` through Firebase's own grammar and lint.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import firebaseRules from '@firebase/eslint-plugin-security-rules';
import { ESLint } from 'eslint';

const PROJECT = new URL('../../', import.meta.url);
const RULES = await readFile(new URL('firestore.rules', PROJECT), 'utf8');

const eslint = new ESLint({
  cwd: fileURLToPath(PROJECT),
  overrideConfigFile: true,
  overrideConfig: [firebaseRules.configs['flat/recommended']],
});

/** What the lint says about rules, as the part of a message that names the fault. */
async function lint(rules) {
  const [{ messages }] = await eslint.lintText(rules, { filePath: 'firestore.rules' });
  return messages.map(({ ruleId, message }) => ruleId ?? message);
}

test('the lint has nothing to say about the rules', async () => {
  assert.deepEqual(await lint(RULES), []);
});

for (const [name, text, replacement, expected] of [
  ['a syntax error', 'return orgId', 'retrun orgId', /Parsing error: extraneous input 'retrun'/],
  ['an open read', 'allow read, write: if false', 'allow read: if true', /no-open-reads/],
  ['an open write', 'allow read, write: if false', 'allow write: if true', /no-open-writes/],
]) {
  test(`the lint finds ${name}`, async () => {
    assert.ok(RULES.includes(text), 'the rules have changed');
    const found = await lint(RULES.replace(text, replacement));
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0], expected);
  });
}
