import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';

import { within } from './patience.mjs';

/** What a listener of the SDK reported so far, and waiting for what it will report. */
export class Listener {
  #reports = [];
  #arrivals = new EventEmitter();

  /** Takes a snapshot as `{ docs, fromCache }`, or `{ refusal }`, after which nothing comes. */
  receive(report) {
    this.#reports.push({ ...report, receivedAt: performance.now() });
    this.#arrivals.emit('report');
  }

  /** The first snapshot that `accept` takes, of those to come or already here. */
  async until(what, accept) {
    return within(what, this.#find(({ docs, refusal }) => {
      assert.equal(refusal, undefined, `the listener for ${what} was refused`);
      return accept(docs);
    }));
  }

  /** The code that the listener was refused with, without having shown anything. */
  async refusal() {
    const first = await within('a refusal', this.#find(() => true));
    assert.equal(first.docs, undefined, 'the listener was not refused');
    return first.refusal;
  }

  /** Leaves out what the SDK still knew from other listeners before the server answered. */
  async #find(accept) {
    for (let index = 0; ; index += 1) {
      while (index >= this.#reports.length) await once(this.#arrivals, 'report');
      const report = this.#reports[index];
      if (!report.fromCache && accept(report)) return report;
    }
  }
}
