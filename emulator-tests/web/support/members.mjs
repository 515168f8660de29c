import assert from 'node:assert/strict';

/**
 * Sets fields of a user's document as the services do: a sign-up is always the admin of an
 * organization of its own, and whoever has joined another differs in this document alone.
 */
export function setUser(endpoints, uid, fields) {
  return setFields(endpoints, `users/${uid}`, fields);
}

/** Sets an organization's tier as the services do when it has paid. */
export function setTier(endpoints, orgId, subscriptionTier) {
  return setFields(endpoints, `organizations/${orgId}`, { subscriptionTier });
}

async function setFields({ firestoreHost, projectId }, path, fields) {
  const database = `http://${firestoreHost}/v1/projects/${projectId}/databases/(default)`;
  const mask = Object.keys(fields).map((name) => `updateMask.fieldPaths=${name}`).join('&');
  const response = await fetch(`${database}/documents/${path}?${mask}`, {
    method: 'PATCH',
    headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
    body: JSON.stringify({ fields: Object.fromEntries(Object.entries(fields).map(encodeField)) }),
  });
  assert.equal(response.status, 200, await response.text());
}

function encodeField([name, value]) {
  return [name, typeof value === 'boolean' ? { booleanValue: value } : { stringValue: value }];
}
