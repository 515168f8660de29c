import { startAuthEmulator } from './auth-emulator.mjs';
import { Client } from './client.mjs';
import { startDevServer } from './dev-server.mjs';
import { startPageServer } from './page-server.mjs';
import { NODE, startChromium } from './places.mjs';
import { Running } from './programs.mjs';

const PROJECT_ID = 'demo-infinity-x';

/** `dev_server`, a browser, and a page whose origin may call. */
export class Stack {
  #running = new Running();

  /** With `authEmulator`, users sign in at Google's emulator instead of the embedded sign-in. */
  static async start({ authEmulator = false } = {}) {
    const stack = new Stack();
    try {
      await stack.#start(authEmulator);
      return stack;
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  async #start(authEmulator) {
    const { origin } = await this.#running.start(startPageServer);
    const variables = { CORS_ORIGINS: origin };
    if (authEmulator) {
      const signIn = await this.#running.start(() => startAuthEmulator(PROJECT_ID));
      variables.FIREBASE_AUTH_EMULATOR_HOST = signIn.host;
    }
    const { endpoints } = await this.#running.start(() => startDevServer(variables));
    this.endpoints = endpoints;
    const browser = await this.#running.start(() => startChromium(origin));
    this.places = { node: NODE, chromium: browser };
  }

  /** A client that nobody has signed in to, closed with the stack. */
  async open(place) {
    const client = await Client.open(this.places[place], this.endpoints);
    this.#running.add(() => client.close());
    return client;
  }

  /** A client of a new user. */
  async signUp(place) {
    const client = await this.open(place);
    await client.signUp();
    return client;
  }

  stop() {
    return this.#running.stop();
  }
}
