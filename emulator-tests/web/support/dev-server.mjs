// The product on free ports: `dev_server` of `cargo dev`.
import { mkdtemp, readFile, rm, watch } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startProgram } from './programs.mjs';

const BUILT = new URL('../../../target/debug/dev_server', import.meta.url).pathname;
const READY = 'ready.json';

/** Starts it with more variables than the test's own, and answers where everything is. */
export async function startDevServer(variables = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'infinity-x-'));
  const readyFile = join(directory, READY);
  const args = ['--port', '0', '--ready-file', readyFile];
  const server = startProgram(process.env.DEV_SERVER ?? BUILT, args, {
    env: { ...process.env, LOG_FILTER: 'warn', ...variables },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const stop = async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  };
  const giveUp = new AbortController();
  try {
    const endpoints = await server.unlessEnded(readWhenWritten(directory, giveUp.signal));
    return { endpoints, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    giveUp.abort();
  }
}

async function readWhenWritten(directory, signal) {
  for await (const { filename } of watch(directory, { signal })) {
    if (filename === READY) return JSON.parse(await readFile(join(directory, READY), 'utf8'));
  }
}
