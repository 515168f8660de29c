import assert from 'node:assert/strict';

/**
 * Sets fields of a user's document as the services do: a sign-up is always the admin of an
 * organization of its own, and whoever has joined another differs in this document alone.
 */
export async function setUser({ firestoreHost, projectId }, uid, fields) {
  const database = `http://${firestoreHost}/v1/projects/${projectId}/databases/(default)`;
  const mask = Object.keys(fields).map((name) => `updateMask.fieldPaths=${name}`).join('&');
  const response = await fetch(`${database}/documents/users/${uid}?${mask}`, {
    method: 'PATCH',
    headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
    body: JSON.stringify({ fields: Object.fromEntries(Object.entries(fields).map(encodeField)) }),
  });
  assert.equal(response.status, 200, await response.text());
}

function encodeField([name, value]) {
  return [name, typeof value === 'boolean' ? { booleanValue: value } : { stringValue: value }];
}
