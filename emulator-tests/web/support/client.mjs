import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { Listener } from './listener.mjs';
import { within } from './patience.mjs';

const QUERIES = new URL('../client-queries.json', import.meta.url);

/** The queries that clients make, by name. */
export const queries = Object.fromEntries(
  JSON.parse(await readFile(QUERIES, 'utf8')).map((clientQuery) => [clientQuery.name, clientQuery]),
);

/** A front end in one of the `places`, at first signed in as nobody. */
export class Client {
  #connection;
  #listeners = [];

  static async open(place, endpoints) {
    const client = new Client();
    const report = (listenerId, heard) => client.#listeners[listenerId].receive(heard);
    client.#connection = await place.connect(endpoints, report);
    return client;
  }

  /** Makes a user, by default one that nobody else is, with an organization of its own. */
  async signUp(email = `user-${randomUUID()}@example.com`) {
    this.email = email;
    this.uid = await this.#run('signUp', email);
    await this.#readOrganization();
  }

  async signInWithGoogle(claims) {
    this.uid = await this.#run('signInWithGoogle', claims);
    await this.#readOrganization();
  }

  call(method, path, body) {
    return this.#run('call', method, path, body);
  }

  idToken() {
    return this.#run('idToken');
  }

  deployAgent(agentId) {
    return this.#run('deployAgent', agentId);
  }

  async listen(clientQuery, values) {
    const [listener, listenerId] = this.#newListener();
    await this.#run('listen', listenerId, clientQuery, values);
    return listener;
  }

  async listenToDocument(path) {
    const [listener, listenerId] = this.#newListener();
    await this.#run('listenToDocument', listenerId, path);
    return listener;
  }

  close() {
    return this.#connection.close();
  }

  async #readOrganization() {
    const { body } = await this.call('GET', '/me');
    this.orgId = body.organizationId;
  }

  #newListener() {
    const listener = new Listener();
    return [listener, this.#listeners.push(listener) - 1];
  }

  #run(method, ...args) {
    return within(method, this.#connection.run(method, ...args));
  }
}
