// Google as `oidc-provider` plays it, which nobody here wrote, with two APIs that know its tokens.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const HOST = '127.0.0.1';
const REDIRECT_URL = 'https://api.example.com/api/v1/integrations/google/callback';
const SCOPES = [
  'gmail.readonly', 'gmail.send', 'calendar', 'drive.file', 'spreadsheets',
].map((name) => `https://www.googleapis.com/auth/${name}`);
const CLIENT = {
  client_id: 'client-1',
  client_secret: 'client-secret',
  redirect_uris: [REDIRECT_URL],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'client_secret_post',
};
/** So short that the product renews before each call. */
const ACCESS_TOKEN_SECS = 60;
/** Longer than a test. */
const LONG_SECS = 3_600;

export class Google {
  /** In the order in which they were given. */
  refreshTokens = [];
  exchanges = 0;
  refreshes = 0;
  #answers = new Map();

  /** With `rotates`, each refresh gives a new refresh token and ends the one before. */
  static async start({ rotates }) {
    const google = new Google();
    google.server = createServer().listen(0, HOST);
    await once(google.server, 'listening');
    google.url = `http://${HOST}:${google.server.address().port}`;
    google.#provide(rotates);
    return google;
  }

  /** What makes the product take this for Google. */
  get variables() {
    return {
      GOOGLE_OAUTH_CLIENT_ID: CLIENT.client_id,
      GOOGLE_OAUTH_CLIENT_SECRET: CLIENT.client_secret,
      GOOGLE_OAUTH_REDIRECT_URL: REDIRECT_URL,
      GOOGLE_OAUTH_EMULATOR_URL: this.url,
      CONNECTOR_GOOGLE_URL: this.url,
    };
  }

  /** A browser whose user agrees, denies or unticks a scope; tells the query that it leaves with. */
  async consent(authorizationUrl, answer = {}) {
    const state = new URL(authorizationUrl).searchParams.get('state');
    this.#answers.set(state, answer);
    const cookies = new Map();
    let next = authorizationUrl;
    while (next.startsWith(this.url)) next = await step(next, cookies);
    assert.ok(next.startsWith(`${REDIRECT_URL}?`), next);
    return new URL(next).search;
  }

  /** Tries it, which ends it if tokens rotate. */
  async isAlive(refreshToken) {
    const form = { ...CLIENT, grant_type: 'refresh_token', refresh_token: refreshToken };
    const body = new URLSearchParams(form);
    const response = await fetch(`${this.url}/token`, { method: 'POST', body });
    if (response.ok) return true;
    assert.equal((await response.json()).error, 'invalid_grant');
    return false;
  }

  async stop() {
    this.server.closeAllConnections();
    await once(this.server.close(), 'close');
  }

  #provide(rotates) {
    const provider = new Provider(this.url, settings(rotates));
    provider.on('refresh_token.saved', ({ jti }) => {
      if (!this.refreshTokens.includes(jti)) this.refreshTokens.push(jti);
    });
    provider.on('grant.success', ({ oidc }) => {
      if (oidc.params.grant_type === 'refresh_token') this.refreshes += 1;
      else this.exchanges += 1;
    });
    const oauth = provider.callback();
    this.server.on('request', (request, response) => {
      const { pathname } = new URL(request.url, this.url);
      if (pathname.startsWith('/interaction/')) return this.#decide(provider, request, response);
      if (pathname in APIS) return answerApi(provider, APIS[pathname], request, response);
      // Google asks for no client there, `oidc-provider` does.
      if (pathname === '/revoke') request.headers.authorization = basic(CLIENT);
      return oauth(request, response);
    });
  }

  /** In place of the sign-in and of the consent screen. */
  async #decide(provider, request, response) {
    const { params, prompt, session } = await provider.interactionDetails(request, response);
    const { denies, unticks } = this.#answers.get(params.state);
    let result = { login: { accountId: randomUUID() } };
    if (denies) result = { error: 'access_denied' };
    else if (prompt.name === 'consent') {
      const { accountId } = session;
      const grant = new provider.Grant({ accountId, clientId: params.client_id });
      const scopes = params.scope.split(' ');
      grant.addOIDCScope(scopes.filter((scope) => scope !== unticks).join(' '));
      if (unticks) grant.rejectOIDCScope(unticks);
      result = { consent: { grantId: await grant.save() } };
    }
    await provider.interactionFinished(request, response, result);
  }
}

/** Google's paths and habits. */
function settings(rotates) {
  return {
    clients: [CLIENT],
    scopes: ['openid', 'email', ...SCOPES],
    routes: {
      authorization: '/o/oauth2/v2/auth',
      jwks: '/oauth2/v3/certs',
      revocation: '/revoke',
      token: '/token',
    },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true, allowedPolicy: () => true },
    },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    rotateRefreshToken: () => rotates,
    ttl: {
      AccessToken: ACCESS_TOKEN_SECS,
      Grant: LONG_SECS,
      IdToken: LONG_SECS,
      Interaction: LONG_SECS,
      RefreshToken: LONG_SECS,
      Session: LONG_SECS,
    },
    cookies: { keys: ['local'] },
  };
}

const APIS = {
  '/oauth2/v2/userinfo': ({ accountId }) => ({ id: accountId, email: 'ada@example.com' }),
  '/gmail/v1/users/me/messages': () => ({ messages: [{ id: 'm1', threadId: 't1' }] }),
};

async function answerApi(provider, answer, request, response) {
  const bearer = request.headers.authorization?.replace('Bearer ', '');
  const token = await provider.AccessToken.find(bearer);
  const [status, body] = token?.isValid ? [200, answer(token)] : [401, { error: { code: 401 } }];
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** One request of a browser; tells where it is sent. */
async function step(url, cookies) {
  const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
  const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
  for (const line of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    if (value) cookies.set(name, value);
    else cookies.delete(name);
  }
  const location = response.headers.get('location');
  assert.ok(location, `${url}: ${response.status} ${await response.text()}`);
  return new URL(location, url).href;
}

function basic({ client_id: id, client_secret: secret }) {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}
