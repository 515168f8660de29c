// Google's Auth emulator, as `firebase emulators:start --only auth` runs it.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { startProgram } from './programs.mjs';

const HOST = '127.0.0.1';
const PACKAGE = '../auth-emulator/node_modules/firebase-tools/lib/bin/firebase.js';
const COMMAND = new URL(PACKAGE, import.meta.url).pathname;

/** Answers its address, for `FIREBASE_AUTH_EMULATOR_HOST`. */
export async function startAuthEmulator(projectId) {
  // It writes logs and settings where it runs and into the user's own folder.
  const directory = await mkdtemp(join(tmpdir(), 'infinity-x-auth-'));
  const [auth, hub, logging] = await findFreePorts(3);
  const at = (port) => ({ host: HOST, port });
  const emulators = { auth: at(auth), hub: at(hub), logging: at(logging), ui: { enabled: false } };
  await writeFile(join(directory, 'firebase.json'), JSON.stringify({ emulators }));
  const args = [COMMAND, 'emulators:start', '--only', 'auth', '--project', projectId];
  const emulator = startProgram(process.execPath, args, {
    cwd: directory,
    env: { ...process.env, XDG_CONFIG_HOME: directory, NO_UPDATE_NOTIFIER: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async () => {
    await emulator.stop();
    await rm(directory, { recursive: true });
  };
  try {
    await emulator.unlessEnded(readUntilReady(emulator.child.stdout));
    return { host: `${HOST}:${auth}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The emulator takes no port 0. All are held at once, so that they differ. */
async function findFreePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, HOST));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** Its errors are in the same output; that it has ended is seen by `unlessEnded`. */
function readUntilReady(output) {
  return new Promise((resolve) => {
    createInterface({ input: output }).on('line', (line) => {
      if (line.includes('All emulators ready')) resolve();
      if (line.startsWith('Error')) console.error(line);
    });
  });
}
