// What a front end does, with the Firebase JS SDK that it uses.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { signInWithEmailAndPassword, signOut } from 'firebase/auth';
import {
  collection, doc, getDoc, getDocs, onSnapshot, orderBy, query, setDoc, where,
} from 'firebase/firestore';
import { httpsCallable, httpsCallableFromURL } from 'firebase/functions';

import { FrontEnd } from './front-end/front-end.mjs';
import { startDevServer } from './support/dev-server.mjs';
import { AGENT, exampleWorkflow } from './support/examples.mjs';
import { Running } from './support/programs.mjs';

const running = new Running();
let server;

before(async () => { server = await running.start(startDevServer); });
after(() => running.stop());

/** A front end of its own, signed up as a new user. */
async function signUp(email) {
  const frontEnd = new FrontEnd(server.endpoints);
  running.add(() => frontEnd.close());
  await frontEnd.signUp(email);
  const { auth, firestore, functions } = frontEnd;
  const api = (method, path, body) => frontEnd.call(method, path, body);
  const me = await api('GET', '/me');
  return { api, auth, firestore, functions, orgId: me.body.organizationId };
}

/** Resolves with the first snapshot that `accept` takes; a refused listener rejects. */
function firstSnapshot(target, accept) {
  return new Promise((resolve, reject) => {
    const stop = onSnapshot(target, (snapshot) => {
      if (!accept(snapshot)) return;
      stop();
      resolve(snapshot);
    }, reject);
  });
}

test('sign up, deploy, run a workflow and watch it', async () => {
  const { api, firestore, functions, orgId } = await signUp('ada@example.com');
  const created = await api('POST', '/agents/create', AGENT);
  assert.equal(created.status, 201);
  const agentId = created.body.id;

  const agents = query(collection(firestore, 'agents'), where('orgId', '==', orgId));
  const active = firstSnapshot(agents, (found) => found.docs.some((d) => d.get('status') === 'active'));
  const deployed = await httpsCallable(functions, 'deployAgent')({ agentId });
  assert.equal(deployed.data.agentId, agentId);
  assert.equal((await active).docs[0].id, agentId);

  const workflow = await api('POST', '/workflows', await exampleWorkflow('support-triage'));
  assert.equal(workflow.status, 201);
  const payload = { agentId, subject: 'Charged twice', body: 'Please refund my invoice.' };
  const started = await api('POST', `/workflows/trigger/${workflow.body.id}`, { payload });
  assert.equal(started.status, 202);

  const { executionId } = started.body;
  const execution = query(
    collection(firestore, 'executions'),
    where('orgId', '==', orgId),
    where('workflowId', '==', workflow.body.id),
  );
  const ended = await firstSnapshot(execution, (found) => found.docs.some((d) => d.get('finishedAt')));
  assert.equal(ended.docs[0].id, executionId);
  assert.equal(ended.docs[0].get('status'), 'succeeded');

  const logs = query(
    collection(firestore, 'executions', executionId, 'logs'),
    where('orgId', '==', orgId),
    orderBy('seq'),
  );
  const lines = await firstSnapshot(logs, (found) => found.size > 0 && !found.metadata.fromCache);
  const numbers = lines.docs.map((line) => line.get('seq'));
  assert.deepEqual(numbers, numbers.map((_, index) => index + 1));
});

test('the second agent of the free tier is refused with the quota', async () => {
  const { api } = await signUp('grace@example.com');
  assert.equal((await api('POST', '/agents/create', AGENT)).status, 201);
  const second = await api('POST', '/agents/create', AGENT);
  assert.equal(second.status, 429);
  assert.equal(second.body.error.code, 'resource_exhausted');
});

test('callable errors reach the SDK with code, message and details', async () => {
  const { auth, functions } = await signUp('alan@example.com');
  const deploy = httpsCallable(functions, 'deployAgent');
  await assert.rejects(deploy({ agentId: 'unknown' }), { code: 'functions/not-found' });
  await assert.rejects(deploy({ agent: 'x' }), (error) => {
    assert.equal(error.code, 'functions/invalid-argument');
    assert.ok(error.details.fields.length > 0);
    return true;
  });
  await signOut(auth);
  await assert.rejects(deploy({ agentId: 'unknown' }), { code: 'functions/unauthenticated' });
});

test('the callable is also served under the emulator path', async () => {
  const { functions } = await signUp('emmy@example.com');
  const { apiUrl, projectId } = server.endpoints;
  const url = `${apiUrl}/${projectId}/us-central1/deployAgent`;
  const deploy = httpsCallableFromURL(functions, url);
  await assert.rejects(deploy({ agentId: 'unknown' }), { code: 'functions/not-found' });
});

test('another organization is out of reach', async () => {
  const owner = await signUp('owner@example.com');
  const stranger = await signUp('stranger@example.com');
  const agent = await owner.api('POST', '/agents/create', AGENT);
  assert.equal((await stranger.api('GET', `/agents/${agent.body.id}`)).status, 404);
  const foreign = doc(stranger.firestore, 'agents', agent.body.id);
  await assert.rejects(getDoc(foreign), { code: 'permission-denied' });
  const listing = query(collection(stranger.firestore, 'agents'), where('orgId', '==', owner.orgId));
  await assert.rejects(getDocs(listing), { code: 'permission-denied' });
  const integration = doc(stranger.firestore, 'integrations', 'x');
  await assert.rejects(setDoc(integration, { service: 'google' }), { code: 'permission-denied' });
});

test('a wrong password is refused as the SDK expects', async () => {
  const { auth } = await signUp('hedy@example.com');
  await signOut(auth);
  await assert.rejects(
    signInWithEmailAndPassword(auth, 'hedy@example.com', 'wrong password'),
    { code: 'auth/wrong-password' },
  );
  const signedIn = await signInWithEmailAndPassword(auth, 'hedy@example.com', 'correct horse');
  assert.equal(signedIn.user.email, 'hedy@example.com');
});
