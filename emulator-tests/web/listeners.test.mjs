// The listeners of the front end, for everyone who may listen and everyone who may not.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { queries } from './support/client.mjs';
import { createAgent, createWorkflow, runWorkflow, untilEnded } from './support/examples.mjs';
import { setUser } from './support/members.mjs';
import { Stack } from './support/stack.mjs';

const PLACES = { node: 'Node, over gRPC', chromium: 'Chromium, over WebChannel' };
const ROLES = ['an admin', 'a user', 'a viewer'];
const REFUSED = ['an admin of another organization', 'a disabled member', 'nobody signed in'];
const LISTENERS = [queries.stats, queries.agents, queries.logs];
/** How far the dashboard may be behind. */
const STATS_LAG_MS = 5_000;

let stack;

before(async () => { stack = await Stack.start(); });
after(() => stack?.stop());

for (const [place, title] of Object.entries(PLACES)) {
  describe(`listening in ${title}`, () => {
    let organization;

    before(async () => { organization = await makeOrganization(place); });

    for (const role of ROLES) {
      test(`${role} sees usage, agents and the terminal change`, async () => {
        const { admin, agentId, clients, values, workflowId } = organization;
        const client = clients[role];
        const stats = await client.listen(queries.stats, values);
        const agents = await client.listen(queries.agents, values);
        const { tokens } = current((await stats.until('usage', current)).docs);
        await agents.until('the agent', ([agent]) => agent?.id === agentId);

        const executionId = await runWorkflow(admin, workflowId, agentId);
        const lines = await readTerminal(client, { ...values, executionId });
        assert.deepEqual(lines.map((line) => line.seq), lines.map((_, index) => index + 1));
        await stats.until('more usage', (docs) => current(docs).tokens > tokens);

        const name = `Seen by ${role}`;
        assert.equal((await admin.call('PATCH', `/agents/${agentId}`, { name })).status, 200);
        await agents.until('the new name', ([agent]) => agent.name === name);
      });

      test(`${role} must filter agents by organization`, async () => {
        const { clients, values } = organization;
        const unfiltered = { ...queries.agents, where: [] };
        const listener = await clients[role].listen(unfiltered, values);
        assert.equal(await listener.refusal(), 'permission-denied');
      });
    }

    for (const who of REFUSED) {
      for (const clientQuery of LISTENERS) {
        test(`${who} is refused ${clientQuery.name}`, async () => {
          const { clients, values } = organization;
          const listener = await clients[who].listen(clientQuery, values);
          assert.equal(await listener.refusal(), 'permission-denied');
        });
      }
    }

    test('usage is at most five seconds behind the end of an execution', async (t) => {
      const { admin, agentId, values, workflowId } = organization;
      const stats = await admin.listen(queries.stats, values);
      const executions = await admin.listen(queries.executions, values);
      const { tokens } = current((await stats.until('usage', current)).docs);
      const executionId = await runWorkflow(admin, workflowId, agentId);
      const ended = await untilEnded(executions, executionId);
      const { usedTokens } = ended.execution.budget;
      assert.ok(usedTokens > 0);
      const isCounted = (docs) => current(docs).tokens === tokens + usedTokens;
      const counted = await stats.until('the tokens of the execution', isCounted);
      const lagMs = Math.round(counted.receivedAt - ended.receivedAt);
      t.diagnostic(`usage was seen ${lagMs} ms after the end`);
      assert.ok(lagMs <= STATS_LAG_MS, `${lagMs} ms`);
    });

    test("an agent's heartbeat reaches the listeners", async () => {
      const admin = await stack.signUp(place);
      const agents = await admin.listen(queries.agents, { orgId: admin.orgId });
      // A draft: a deployment is a sign of life as well.
      const agentId = await createAgent(admin);
      const isSilent = ([agent]) => agent && !agent.presence.lastSeenAt;
      await agents.until('an agent without a beat', isSilent);
      const beat = await admin.call('POST', `/agents/${agentId}/heartbeat`);
      assert.equal(beat.status, 204);
      await agents.until('the beat', ([agent]) => agent?.presence.lastSeenAt);
    });
  });
}

/** An organization with all roles in which a workflow has run, and everyone's clients. */
async function makeOrganization(place) {
  const admin = await stack.signUp(place);
  const values = { orgId: admin.orgId };
  const member = async (fields) => {
    const client = await stack.signUp(place);
    await setUser(stack.endpoints, client.uid, { organizationId: admin.orgId, ...fields });
    return client;
  };
  const agentId = await createAgent(admin);
  await admin.deployAgent(agentId);
  const workflowId = await createWorkflow(admin);
  const executions = await admin.listen(queries.executions, values);
  values.executionId = await runWorkflow(admin, workflowId, agentId);
  await untilEnded(executions, values.executionId);
  const clients = {
    'an admin': admin,
    'a user': await member({ role: 'user' }),
    'a viewer': await member({ role: 'viewer' }),
    'a disabled member': await member({ role: 'admin', disabled: true }),
    'an admin of another organization': await stack.signUp(place),
    'nobody signed in': await stack.open(place),
  };
  return { admin, agentId, clients, values, workflowId };
}

/** The whole log of an execution that has just been triggered. */
async function readTerminal(client, values) {
  const executions = await client.listen(queries.executions, values);
  // The rules find a log's organization in its execution, which the engine makes.
  const hasBegun = (docs) => docs.some(({ id }) => id === values.executionId);
  await executions.until('the execution', hasBegun);
  const logs = await client.listen(queries.logs, values);
  const { execution } = await untilEnded(executions, values.executionId);
  const isWhole = (lines) => lines.length >= execution.logSeq;
  return (await logs.until('the last line', isWhole)).docs;
}

function current(docs) {
  return docs.find(({ id }) => id === 'current');
}

