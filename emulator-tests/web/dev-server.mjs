// Starts `dev_server` on free ports and stops it after the tests.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, watch } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY = 'ready.json';

export async function startDevServer() {
  const directory = await mkdtemp(join(tmpdir(), 'infinity-x-'));
  const program = process.env.DEV_SERVER ?? '../../target/debug/dev_server';
  const readyFile = join(directory, READY);
  const server = spawn(program, ['--port', '0', '--ready-file', readyFile], {
    env: { ...process.env, LOG_FILTER: 'warn' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = new Promise((resolve) => server.once('exit', resolve));
  const endpoints = await Promise.race([
    waitForFile(directory, readyFile),
    exited.then((code) => { throw new Error(`dev_server ended with ${code}`); }),
  ]);
  const stop = async () => {
    server.kill('SIGTERM');
    await exited;
    await rm(directory, { recursive: true });
  };
  return { endpoints, stop };
}

async function waitForFile(directory, path) {
  const stopWatching = new AbortController();
  const changes = watch(directory, { signal: stopWatching.signal });
  try {
    for await (const { filename } of changes) {
      if (filename === READY) return JSON.parse(await readFile(path, 'utf8'));
    }
  } finally {
    stopWatching.abort();
  }
}
