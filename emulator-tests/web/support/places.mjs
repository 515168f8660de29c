// Where a front end runs. A connection takes the methods of `FrontEnd` by name.
import { chromium } from 'playwright-core';

import { FrontEnd } from '../front-end/front-end.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Without them Chromium looks for updates and for Google's services. */
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** In the test's own process: the SDK listens over gRPC. */
export const NODE = {
  async connect(endpoints, report) {
    const frontEnd = new FrontEnd(endpoints, report);
    return {
      run: async (method, ...args) => frontEnd[method](...args),
      close: () => frontEnd.close(),
    };
  },
};

/** In pages of headless Chromium: the SDK listens over WebChannel. */
export async function startChromium(origin) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const connect = async (endpoints, report) => {
    // A context of its own is a user at a machine of their own.
    const context = await browser.newContext();
    const page = await context.newPage();
    page.on('pageerror', (error) => console.error(error));
    await page.exposeFunction('report', report);
    await page.goto(origin);
    await page.evaluate((found) => window.connect(found), endpoints);
    return {
      run: (method, ...args) => page.evaluate(callFrontEnd, [method, args]),
      close: () => context.close(),
    };
  };
  return { connect, stop: () => browser.close() };
}

/** Runs in the page. */
function callFrontEnd([method, args]) {
  return window.frontEnd[method](...args);
}
