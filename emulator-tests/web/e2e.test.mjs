// The product's three flows as a user goes through them in a browser, with either sign-in.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { queries } from './support/client.mjs';
import { createAgent, createWorkflow, runWorkflow, untilEnded } from './support/examples.mjs';
import { Stack } from './support/stack.mjs';

const SIGN_INS = [
  { name: 'the embedded sign-in', authEmulator: false },
  { name: "Google's Auth emulator", authEmulator: true },
];
/** The second user finds whatever the first one left behind. */
const USERS = ['a first', 'a second'];

for (const { name, authEmulator } of SIGN_INS) {
  describe(`with ${name}`, () => {
    let stack;

    before(async () => { stack = await Stack.start({ authEmulator }); });
    after(() => stack?.stop());

    for (const user of USERS) {
      test(`${user} user signs up and creates an organization`, async () => {
        await createOrganization(await stack.signUp('chromium'));
      });

      test(`${user} user creates an agent and deploys it`, async () => {
        const client = await stack.signUp('chromium');
        const { orgId } = client;
        const agents = await client.listen(queries.agents, { orgId });
        const agentId = await createAgent(client);
        await agents.until('the draft', ([agent]) => agent?.status === 'paused');
        assert.equal((await client.deployAgent(agentId)).agentId, agentId);
        const isActive = ([agent]) => agent?.status === 'active';
        const { docs } = await agents.until('the deployed agent', isActive);
        assert.deepEqual(docs.map(({ id }) => id), [agentId]);
      });

      test(`${user} user runs a workflow and sees its output`, async () => {
        const client = await stack.signUp('chromium');
        const { orgId } = client;
        const agentId = await createAgent(client);
        await client.deployAgent(agentId);
        const workflowId = await createWorkflow(client);
        const runs = await client.listen(queries.executionsOfWorkflow, { orgId, workflowId });
        const executionId = await runWorkflow(client, workflowId, agentId);
        const { execution } = await untilEnded(runs, executionId);
        const answered = await client.call('GET', `/executions/${executionId}`);
        assert.equal(answered.status, 200);
        assert.equal(answered.body.output.queue, 'billing');
        assert.deepEqual(JSON.parse(execution.output), answered.body.output);
      });
    }

    test('a user who logs out everywhere is let in nowhere', async () => {
      const client = await stack.signUp('chromium');
      const { orgId } = client;
      assert.equal((await client.call('POST', '/me/sessions/revoke')).status, 204);
      assert.equal((await client.call('GET', '/me')).status, 401);
      const agents = await client.listen(queries.agents, { orgId });
      assert.equal(await agents.refusal(), 'permission-denied');
    });

    test('a deleted account is gone and its address is free', async () => {
      const client = await stack.signUp('chromium');
      const { email, orgId, uid } = client;
      assert.equal((await client.call('DELETE', '/me')).status, 204);
      assert.equal((await client.call('GET', '/me')).status, 401);
      const organization = await client.listenToDocument(`organizations/${orgId}`);
      assert.equal(await organization.refusal(), 'permission-denied');
      await client.signUp(email);
      assert.notEqual(client.uid, uid);
      assert.notEqual(client.orgId, orgId);
    });

    if (authEmulator) {
      test('a user signs in with Google and creates an organization', async () => {
        const client = await stack.open('chromium');
        const sub = randomUUID();
        await client.signInWithGoogle({ sub, email: `${sub}@example.com`, email_verified: true });
        await createOrganization(client);
      });
    }
  });
}

async function createOrganization(client) {
  const { orgId } = client;
  const organization = await client.listenToDocument(`organizations/${orgId}`);
  await organization.until('the personal organization', ([{ id }]) => id === orgId);
  const created = await client.call('POST', '/organizations', { name: 'Analytical Engines' });
  assert.equal(created.status, 201);
  // Whoever is alone in the personal organization names it.
  assert.equal(created.body.id, orgId);
  await organization.until('the name', ([{ name }]) => name === 'Analytical Engines');
  const answered = await client.call('GET', '/organization');
  assert.equal(answered.body.name, 'Analytical Engines');
}
