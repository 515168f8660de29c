// Vision Cortex through OpenAI's own client, unchanged.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import OpenAI from 'openai';

import { Client } from './support/client.mjs';
import { startDevServer } from './support/dev-server.mjs';
import { NODE } from './support/places.mjs';
import { Running } from './support/programs.mjs';

const MODEL = 'gpt-4.1-mini';

describe('OpenAI’s client', () => {
  const running = new Running();
  let client;
  let openai;

  before(async () => {
    const server = await running.start(() => startDevServer());
    client = await Client.open(NODE, server.endpoints);
    running.add(() => client.close());
    await client.signUp();
    openai = new OpenAI({
      baseURL: `${server.endpoints.apiUrl}/api/v1/llm`,
      apiKey: await client.idToken(),
      maxRetries: 0,
    });
  });
  after(() => running.stop());

  const messages = [{ role: 'user', content: 'Say nothing but hello.' }];

  test('is answered', async () => {
    const answer = await openai.chat.completions.create({ model: MODEL, messages });
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.ok(answer.choices[0].message.content.length > 0);
    assert.ok(answer.usage.total_tokens > 0);
  });

  test('hears the same as a stream, and what was used', async () => {
    const whole = await openai.chat.completions.create({ model: MODEL, messages });
    const stream = openai.chat.completions.stream({
      model: MODEL,
      messages,
      stream_options: { include_usage: true },
    });
    const answer = await stream.finalChatCompletion();
    assert.equal(answer.choices[0].message.content, whole.choices[0].message.content);
    assert.deepEqual(answer.usage, whole.usage);
  });

  test('may stop a stream', async () => {
    const stream = await openai.chat.completions.create({ model: MODEL, messages, stream: true });
    for await (const chunk of stream) {
      assert.equal(chunk.object, 'chat.completion.chunk');
      break;
    }
    const after = await openai.chat.completions.create({ model: MODEL, messages });
    assert.ok(after.choices.length === 1);
  });

  test('has texts placed, in the base64 that it asks for', async () => {
    const input = ['one', 'two'];
    const answer = await openai.embeddings.create({ model: 'text-embedding-3-small', input });
    assert.equal(answer.data.length, 2);
    assert.equal(answer.data[0].embedding.length, 1536);
    assert.ok(answer.data[0].embedding.every(Number.isFinite));
  });

  test('lists models', async () => {
    const ids = [];
    for await (const model of openai.models.list()) ids.push(model.id);
    assert.ok(ids.includes(MODEL));
  });

  test('raises what is refused as its own errors', async () => {
    const wrong = openai.chat.completions.create({ model: 'unheard-of', messages });
    await assert.rejects(wrong, OpenAI.BadRequestError);
    const foreign = new OpenAI({ baseURL: openai.baseURL, apiKey: 'sk-none', maxRetries: 0 });
    await assert.rejects(foreign.models.list(), OpenAI.AuthenticationError);
  });
});
