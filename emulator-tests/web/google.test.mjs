// Connecting Google, from the consent to the revocation, at an OAuth server that nobody here wrote.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Client, queries } from './support/client.mjs';
import { startDevServer } from './support/dev-server.mjs';
import { untilEnded } from './support/examples.mjs';
import { Google } from './support/google.mjs';
import { setTier } from './support/members.mjs';
import { NODE } from './support/places.mjs';
import { Running } from './support/programs.mjs';

const PAGE = 'http://localhost:5173/integrations/google';
const CALLBACK = '/integrations/google/callback';
const SHEETS = 'https://www.googleapis.com/auth/spreadsheets';
const SEARCH = {
  name: 'Unread mail',
  nodes: [
    { id: 'start', type: 'trigger', position: { x: 0, y: 0 }, data: {} },
    {
      id: 'search',
      type: 'google.gmail.search',
      position: { x: 240, y: 0 },
      data: { query: 'is:unread' },
    },
    {
      id: 'found',
      type: 'output',
      position: { x: 480, y: 0 },
      data: { value: { messages: '${nodes.search.output.messages}' } },
    },
  ],
  edges: [
    { id: 'e1', source: 'start', target: 'search' },
    { id: 'e2', source: 'search', target: 'found' },
  ],
  triggers: [{ type: 'manual' }],
  active: true,
};

for (const rotates of [false, true]) {
  describe(`with refresh tokens that ${rotates ? 'rotate' : 'stay'}`, () => {
    const running = new Running();
    let google;
    let server;

    before(async () => {
      google = await Google.start({ rotates });
      running.add(() => google.stop());
      server = await running.start(() => startDevServer(google.variables));
    });
    after(() => running.stop());

    /** A user whose tier has Google Workspace. */
    async function signUp() {
      const client = await Client.open(NODE, server.endpoints);
      running.add(() => client.close());
      await client.signUp();
      await setTier(server.endpoints, client.orgId, 'pro');
      return client;
    }

    /** A user agrees, or does not; tells what the page has in its address. */
    async function consent(client, answer) {
      const begun = await client.call('POST', '/integrations/google/auth');
      assert.equal(begun.status, 200);
      const query = await google.consent(begun.body.authorizationUrl, answer);
      const callback = `${server.endpoints.apiUrl}/api/v1${CALLBACK}${query}`;
      const response = await fetch(callback, { redirect: 'manual' });
      const [page, fragment] = response.headers.get('location').split('#');
      assert.deepEqual([response.status, page], [303, PAGE]);
      return Object.fromEntries(new URLSearchParams(fragment));
    }

    async function finish(client, brought) {
      const { body } = await client.call('POST', CALLBACK, brought);
      return body.status ? body : { status: body.error.details.reason };
    }

    async function connect(client, answer) {
      const connected = await finish(client, await consent(client, answer));
      assert.equal(connected.status, 'connected');
      return connected;
    }

    async function listIntegrations(client) {
      return (await client.call('GET', '/integrations')).body.items;
    }

    test('calls are made with tokens that were renewed, until the account is disconnected', async () => {
      const client = await signUp();
      const [refreshed, known] = [google.refreshes, google.refreshTokens.length];
      const { integrationId, missing } = await connect(client);
      assert.deepEqual(missing, []);

      const saved = await client.call('POST', '/workflows', SEARCH);
      assert.equal(saved.status, 201);
      const workflowId = saved.body.id;
      const { orgId } = client;
      const runs = await client.listen(queries.executionsOfWorkflow, { orgId, workflowId });
      for (const run of [1, 2]) {
        const started = await client.call('POST', `/workflows/trigger/${workflowId}`, {});
        const { execution } = await untilEnded(runs, started.body.executionId);
        const messages = [{ messageId: 'm1', threadId: 't1' }];
        assert.deepEqual(JSON.parse(execution.output).messages, messages);
        assert.equal(google.refreshes, refreshed + run);
      }
      const given = google.refreshTokens.slice(known);
      assert.equal(given.length, rotates ? 3 : 1);

      const disconnected = await client.call('DELETE', `/integrations/${integrationId}`);
      assert.deepEqual(disconnected, { status: 200, body: { revoked: true } });
      assert.equal(await google.isAlive(given.at(-1)), false);
      assert.deepEqual(await listIntegrations(client), []);
    });

    test('a consent is finished once, and its code is worth nothing in another', async () => {
      const client = await signUp();
      const brought = await consent(client);
      assert.equal((await finish(client, brought)).status, 'connected');
      assert.equal((await finish(client, brought)).status, 'invalid_state');
      const { state } = await consent(client);
      const reused = await finish(client, { state, code: brought.code });
      assert.equal(reused.status, 'invalid_code');
    });

    test('a code that was swapped between two consents is refused', async () => {
      const client = await signUp();
      const [{ state }, { code }] = [await consent(client), await consent(client)];
      assert.equal((await finish(client, { state, code })).status, 'invalid_code');
      assert.deepEqual(await listIntegrations(client), []);
    });

    test('whoever finishes the consent of somebody else connects nothing', async () => {
      const [attacker, victim] = [await signUp(), await signUp()];
      const { exchanges } = google;
      const brought = await consent(attacker);
      assert.equal((await finish(victim, brought)).status, 'invalid_state');
      assert.equal(google.exchanges, exchanges);
      for (const client of [attacker, victim]) assert.deepEqual(await listIntegrations(client), []);
      assert.equal((await finish(attacker, brought)).status, 'connected');
    });

    test('a user who denies is told, and what was unticked is named', async () => {
      const client = await signUp();
      const denied = await consent(client, { denies: true });
      assert.equal((await finish(client, denied)).status, 'access_denied');
      const { missing } = await connect(client, { unticks: SHEETS });
      assert.deepEqual(missing, [SHEETS]);
    });
  });
}
