// What the tests make: an agent, and the workflows of `examples`.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

export const AGENT = {
  name: 'Ada',
  type: 'custom',
  industry: 'tech',
  personality: { empathy: 0.8, confidence: 0.7, style: 'brief' },
  voiceConfig: { model: 'alloy', speed: 1, pitch: 0 },
  memoryDepth: 'session',
  systemPrompt: 'You sort support mail.',
};

export async function exampleWorkflow(name) {
  const file = new URL(`../../../examples/${name}.json`, import.meta.url);
  const { viewport, ...workflow } = JSON.parse(await readFile(file, 'utf8'));
  return { ...workflow, active: true };
}

export async function createAgent(client) {
  const created = await client.call('POST', '/agents/create', AGENT);
  assert.equal(created.status, 201);
  return created.body.id;
}

/** Saves the example with an LLM call. */
export async function createWorkflow(client) {
  const created = await client.call('POST', '/workflows', await exampleWorkflow('support-triage'));
  assert.equal(created.status, 201);
  return created.body.id;
}

/** Triggers it and answers the execution's id. */
export async function runWorkflow(client, workflowId, agentId) {
  const payload = { agentId, subject: 'Charged twice', body: 'Please refund my invoice.' };
  const started = await client.call('POST', `/workflows/trigger/${workflowId}`, { payload });
  assert.equal(started.status, 202);
  return started.body.executionId;
}

/** An execution that has ended well, and when a listener for executions saw it. */
export async function untilEnded(executions, executionId) {
  const find = (docs) => docs.find(({ id }) => id === executionId);
  const hasEnded = (docs) => find(docs)?.finishedAt;
  const { docs, receivedAt } = await executions.until('the end of the execution', hasEnded);
  assert.equal(find(docs).status, 'succeeded');
  return { execution: find(docs), receivedAt };
}
