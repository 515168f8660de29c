// Serves the test page and the SDK's browser modules, nothing else.
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';

const SDK_MODULES = ['app', 'auth', 'firestore', 'functions'].map((name) => `firebase-${name}.js`);
const FILES = new Map([
  ['/', ['front-end/index.html', 'text/html']],
  ['/front-end.mjs', ['front-end/front-end.mjs', 'text/javascript']],
  ...SDK_MODULES.map((name) => [
    `/sdk/${name}`, [`node_modules/firebase/${name}`, 'text/javascript'],
  ]),
]);

export async function startPageServer() {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    server.closeAllConnections();
    await once(server.close(), 'close');
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, stop };
}

function answer({ url }, response) {
  const file = FILES.get(url);
  if (!file) return response.writeHead(404).end();
  const [path, type] = file;
  response.writeHead(200, { 'content-type': type });
  return createReadStream(new URL(`../${path}`, import.meta.url)).pipe(response);
}
