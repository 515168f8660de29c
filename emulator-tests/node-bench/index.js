// Stripe's webhook and a rate-limited route, as a careful Node developer writes them.

import { Firestore } from "@google-cloud/firestore";
import functions from "@google-cloud/functions-framework";
import { Redis } from "ioredis";
import { createLocalJWKSet, jwtVerify } from "jose";
import { RateLimiterRedis } from "rate-limiter-flexible";
import Stripe from "stripe";

const { env } = process;
const project = env.GOOGLE_CLOUD_PROJECT;
const database = new Firestore({ projectId: project });
const stripe = new Stripe(env.STRIPE_API_KEY);
const redis = new Redis(env.REDIS_SOCKET);
const keys = createLocalJWKSet(JSON.parse(env.BENCH_ID_TOKEN_KEYS));
const tasks = `http://${env.CLOUD_TASKS_EMULATOR_HOST}/v2/${env.STRIPE_EVENTS_QUEUE}/tasks`;

/** Google's code of a document that is there already. */
const ALREADY_EXISTS = 6;

const limiter = (name, points) =>
  new RateLimiterRedis({
    storeClient: redis,
    keyPrefix: name,
    points: Number(points),
    duration: Number(env.RATE_LIMIT_WINDOW_SECS),
  });
const hooks = limiter("hooks", env.RATE_LIMIT_HOOKS);
const clients = limiter("clients", env.RATE_LIMIT_CLIENT);
const users = limiter("users", env.RATE_LIMIT_USER);

const client = (request) => request.get("x-forwarded-for")?.split(",").at(-1).trim() ?? request.ip;

/** Whether one more may come; tells it in the answer. */
async function isAdmitted(limit, key, response) {
  try {
    const met = await limit.consume(key);
    response.set("RateLimit-Remaining", String(met.remainingPoints));
    return true;
  } catch (error) {
    if (error instanceof Error) throw error;
    response.set("Retry-After", String(Math.ceil(error.msBeforeNext / 1000)));
    response.status(429).json({ error: { code: "resource_exhausted" } });
    return false;
  }
}

functions.http("webhook", async (request, response) => {
  if (request.method !== "POST") return response.status(405).end();
  if (!(await isAdmitted(hooks, client(request), response))) return;
  let event;
  try {
    const signature = request.get("stripe-signature");
    event = stripe.webhooks.constructEvent(request.rawBody, signature, env.STRIPE_WEBHOOK_SECRETS);
  } catch {
    return response.status(400).json({ error: { code: "invalid_argument" } });
  }
  try {
    await database.collection("node_events").doc(event.id).create({
      type: event.type,
      customerId: event.data.object.customer,
      state: "pending",
      receivedAt: new Date(),
    });
  } catch (error) {
    if (error.code !== ALREADY_EXISTS) throw error;
  }
  const body = Buffer.from(JSON.stringify({ eventId: event.id })).toString("base64");
  const httpRequest = {
    url: `${env.STRIPE_EVENTS_TARGET_URL}/events/process`,
    httpMethod: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  };
  const name = `${env.STRIPE_EVENTS_QUEUE}/tasks/${event.id}`;
  const taken = await fetch(tasks, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ task: { name, httpRequest } }),
  });
  if (!taken.ok) throw new Error(`the queue answers ${taken.status}`);
  response.json({ outcome: "queued" });
});

functions.http("API", async (request, response) => {
  if (!(await isAdmitted(clients, client(request), response))) return;
  let claims;
  try {
    const token = request.get("authorization")?.replace(/^Bearer /, "");
    const expected = {
      algorithms: ["RS256"],
      audience: project,
      issuer: `https://securetoken.google.com/${project}`,
    };
    claims = (await jwtVerify(token, keys, expected)).payload;
  } catch {
    return response.status(401).json({ error: { code: "unauthenticated" } });
  }
  if (!(await isAdmitted(users, claims.sub, response))) return;
  const user = (await database.doc(`users/${claims.sub}`).get()).data();
  if (user === undefined || user.disabled) return response.status(403).end();
  const { uid, organizationId, role, email, settings } = user;
  response.json({ uid, organizationId, role, email, settings });
});
