// Programs that the tests start. None outlives them, however they end.
import { spawn } from 'node:child_process';

const running = new Set();

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) {
  process.once(signal, () => process.exit(1));
}
// A test runner that was killed reads no more reports.
process.stdout.once('error', () => process.exit(1));

/** Starts a program; `stop` waits until it is gone. */
export function startProgram(program, args, options) {
  const child = spawn(program, args, options);
  running.add(child);
  const ended = new Promise((resolve) => {
    child.once('error', resolve);
    child.once('exit', (code, signal) => resolve(code ?? signal));
  }).finally(() => running.delete(child));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  /** What `ready` resolves with, unless the program ends before. */
  const unlessEnded = (ready) => Promise.race([
    ready,
    ended.then((how) => { throw new Error(`${program} ended: ${how}`); }),
  ]);
  return { child, stop, unlessEnded };
}

/** Everything that was started, to be stopped in reverse order. */
export class Running {
  #stops = [];

  add(stop) {
    this.#stops.unshift(stop);
  }

  /** Waits for `start` and adds the `stop` that it answers. */
  async start(start) {
    const started = await start();
    this.add(started.stop);
    return started;
  }

  /** One that cannot be stopped does not keep the others running. */
  async stop() {
    const failures = [];
    for (const stop of this.#stops.splice(0)) await stop().catch((error) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be stopped');
  }
}
