import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import {
  createTenant,
  eventually,
  startGatewayProcess,
  type Tenant,
  type TestGateway,
  usageOf,
} from "#support/gateway.ts";
import { type CuttableProxy, openCuttableProxy } from "#support/proxy.ts";
import { freshPostgresDatabase, startRedis } from "#support/servers.ts";
import { onRedis } from "../e2e/stage.ts";
import { askAsCaller, type CallerView } from "./caller.ts";
import type { Scenario, Views } from "./scenario.ts";
import { INTERVAL_MS, isRelayed, MIDWAY } from "./shared-sixteen.ts";
import { LIMITS, type Wall } from "./wall.ts";

const BOTH = ["streamed", "whole"] as const;
const STREAMED = ["streamed"] as const;
const FINE = [{ text: "an answer", events: 4 }];
const ORDINARY_EVENTS = 9;
/** How long Redis stands still. */
const REDIS_PAUSE_MS = 3_000;

/** Text in which characters of every length are cut by pieces of seven bytes. */
const WIDE_TEXT = "Grüße, 世界! 🌍🚀 — ñandú ".repeat(20);

function arrivesUncut({ caller }: Views): string | undefined {
  const text = caller.events
    .map(({ data }) => (data["delta"] as { text?: string } | undefined)?.text ?? "")
    .join("");
  return text === WIDE_TEXT ? undefined : "the text arrived changed";
}

/** A client that is kept waiting hears that it is not forgotten. */
async function pingsWhileSilent(wall: Wall): Promise<string | undefined> {
  const tenant = await wall.stage.tenant([{ priority: 1 }, { priority: 2 }]);
  const [first, second] = tenant.upstreamKeys;
  const silent = { fault: { kind: "message_start_then_silence" } } as const;
  wall.stage.simulator.plan(silent, { apiKey: first, repeat: true });
  wall.stage.simulator.plan({ delay_ms: 700, text: "late" }, { apiKey: second, repeat: true });
  const { isWhole, events } = await wall.ask(tenant, "streamed");
  if (!isWhole) return "the answer was not whole";
  // The first account is silent for a second, and the second one for most of another.
  if (!events.some(({ name }) => name === "ping")) return "no ping came while nothing else did";
  return await wall.restProblem(tenant);
}

/** Leaves after each number of events that an answer has. */
async function leaveEverywhere(wall: Wall): Promise<string | undefined> {
  const tenant = await wall.stage.tenant([{}]);
  const plan = { events: 4, event_interval_ms: 15 };
  wall.stage.simulator.plan(plan, { apiKey: tenant.upstreamKeys[0], repeat: true });
  const boundaries = Array.from({ length: ORDINARY_EVENTS }, (_, index) => index);
  await Promise.all(boundaries.map((events) => leaveAfter(events, tenant, wall)));
  const isOver = await eventually(
    () => wall.attemptsOf(tenant)[0]?.every(({ outcome }) => outcome !== undefined),
    (over) => over === true,
    5_000,
  ).catch(() => false);
  if (!isOver) return "an upstream call goes on for nobody";
  wall.count(tenant, boundaries.length);
  return await wall.restProblem(tenant);
}

async function leaveAfter(events: number, { key }: Tenant, { stage }: Wall): Promise<void> {
  const leaving = new AbortController();
  const answer = await stage.ask(key, { stream: true, signal: leaving.signal });
  const reader = answer.body?.getReader();
  const decoder = new TextDecoder();
  for (let text = ""; text.split("\n\n").length <= events; ) {
    const { value, done } = (await reader?.read()) ?? { done: true };
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  leaving.abort();
}

/** What a caller may see of a process or a thread that died under its stream: a broken one, and nothing else. */
function brokenProblem({ hangs, isWhole }: CallerView): string | undefined {
  if (hangs) return "the caller was left hanging";
  return isWhole ? "an answer that was broken off looked whole" : undefined;
}

/** A gateway that dies while it streams. */
async function killProcess({ stage: { simulator } }: Wall): Promise<string | undefined> {
  await using own = await openOwnGateway({ HTTP_THREADS: "1" });
  const tenant = await createTenant(own.gateway, { upstreamUrl: simulator.url });
  const plan = { events: 100, event_interval_ms: 20 };
  simulator.plan(plan, { apiKey: tenant.upstreamKeys[0], repeat: true });
  const asked = askAsCaller({ url: own.gateway.url, key: tenant.key, form: "streamed" });
  await eventually(
    () => simulator.attempts().some(({ apiKey }) => apiKey === tenant.upstreamKeys[0]),
    (isAsked) => isAsked,
  );
  await Bun.sleep(200);
  await own.gateway.kill();
  const problem = brokenProblem(await asked);
  if (problem !== undefined) return problem;
  own.gateway = await own.gateway.restart();
  simulator.plan({}, { apiKey: tenant.upstreamKeys[0], repeat: true });
  const next = await askAsCaller({ url: own.gateway.url, key: tenant.key, form: "whole" });
  return next.isWhole ? undefined : `the request after the start was answered ${next.status}`;
}

/** Threads that die while they work; the others go on. */
async function killThreads({ stage: { simulator } }: Wall): Promise<string | undefined> {
  await using own = await openOwnGateway({ HTTP_THREADS: "2" }, "test/support/killable-gateway.ts");
  const { gateway } = own;
  const tenant = await createTenant(gateway, { upstreamUrl: simulator.url });
  const plan = { events: 40, event_interval_ms: 20 };
  simulator.plan(plan, { apiKey: tenant.upstreamKeys[0], repeat: true });
  const asked = Array.from({ length: 16 }, () =>
    askAsCaller({ url: gateway.url, key: tenant.key, form: "streamed" }),
  );
  await Bun.sleep(400);
  for (const kind of ["http", "ledger", "parse"]) gateway.say(`kill ${kind} 0`);
  const views = await Promise.all(asked);
  const hanging = views.filter(({ hangs }) => hangs).length;
  if (hanging > 0) return `${hanging} callers were left hanging`;
  type Busy = { in_flight: number };
  const busy = () => gateway.admin<Busy>("GET", `/users/${tenant.userId}/status`).catch(() => undefined);
  await eventually(busy, (now) => now?.in_flight === 0, 10_000);
  const whole = views.filter(({ isWhole }) => isWhole).length;
  const rows = await eventually(
    () => usageOf(gateway, tenant.userId).catch(() => []),
    (found) => found.length >= whole,
    10_000,
  );
  const ids = new Set(rows.map(({ request_id }) => request_id));
  return ids.size === rows.length ? undefined : "a request was booked twice";
}

/** A database that is away while requests are served. */
async function stopDatabase({ stage: { simulator } }: Wall): Promise<string | undefined> {
  await using own = await openOwnGateway({ HTTP_THREADS: "1", LOG_LEVEL: "silent" });
  const { gateway, proxy } = own;
  const tenant = await createTenant(gateway, { upstreamUrl: simulator.url });
  const ask = () => askAsCaller({ url: gateway.url, key: tenant.key, form: "streamed" });
  await ask();
  proxy.cut();
  for (let turn = 0; turn < 20; turn++) {
    const { isWhole, status } = await ask();
    if (!isWhole) return `request ${turn} without the database was answered ${status}`;
  }
  proxy.mend();
  const rows = await eventually(
    () => usageOf(gateway, tenant.userId).catch(() => []),
    (found) => found.length >= 21,
    30_000,
  );
  return rows.length === 21 ? undefined : `${rows.length} rows for 21 requests`;
}

/** A Redis that stands still while requests are served. */
async function pauseRedis({ stage: { simulator } }: Wall): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-redis-"));
  const server = await startRedis(folder);
  if (server === undefined) return "no Redis is installed";
  const redis = new Redis(server.url);
  try {
    await using own = await openOwnGateway({ HTTP_THREADS: "1", LOG_LEVEL: "silent", REDIS_URL: server.url });
    const { gateway } = own;
    const tenant = await createTenant(gateway, { upstreamUrl: simulator.url });
    const ask = () => askAsCaller({ url: gateway.url, key: tenant.key, form: "streamed" });
    await ask();
    await redis.call("CLIENT", "PAUSE", String(REDIS_PAUSE_MS), "ALL");
    const until = performance.now() + REDIS_PAUSE_MS + 500;
    let asks = 1;
    for (; performance.now() < until; asks++) {
      const { isWhole, hangs, status } = await ask();
      if (hangs) return `request ${asks} was left hanging`;
      if (!isWhole) return `request ${asks} while Redis stood still was answered ${status}`;
    }
    const leases = async () => (await redis.keys("*:held:*")).length;
    await eventually(leases, (count) => count === 0, 10_000);
    const rows = await eventually(
      () => usageOf(gateway, tenant.userId),
      (found) => found.length >= asks,
    );
    return rows.length === asks ? undefined : `${rows.length} rows for ${asks} requests`;
  } finally {
    redis.disconnect();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A gateway process of a scenario's own, and the way to its database. */
interface OwnGateway extends AsyncDisposable {
  gateway: TestGateway;
  readonly proxy: CuttableProxy;
}

async function openOwnGateway(env: Record<string, string>, entry?: string): Promise<OwnGateway> {
  const database = await freshPostgresDatabase();
  const proxy = await openCuttableProxy(database.url);
  const limits = { ...LIMITS, LOG_LEVEL: "error", DATABASE_URL: proxy.url, ...onRedis() };
  const own: OwnGateway = {
    gateway: await startGatewayProcess({ ...limits, ...env }, undefined, entry),
    proxy,
    [Symbol.asyncDispose]: async () => {
      await own.gateway.dispose();
      await proxy.close();
      await database.close();
    },
  };
  return own;
}

/** Faults beyond those of FailoverBench: the Messages API's own, the client's, and the gateway's. */
export const FURTHER_FAULTS: readonly Scenario[] = [
  {
    id: "F01",
    title: "529 overloaded_error",
    forms: BOTH,
    accounts: [[{ status: 529 }], FINE],
    best: "answer",
    attemptsMax: [3, 1],
  },
  {
    id: "F02",
    title: "event: error before the first delta",
    forms: STREAMED,
    accounts: [[{ fault: { kind: "error_event", after_event: 0 } }], FINE],
    best: "answer",
    attemptsMax: [3, 1],
  },
  {
    id: "F03",
    title: "event: error after it",
    forms: STREAMED,
    accounts: [
      [{ events: 8, event_interval_ms: INTERVAL_MS, fault: { kind: "error_event", after_event: MIDWAY } }],
      FINE,
    ],
    best: "error-end",
    attemptsMax: [1, 1],
  },
  {
    id: "F04",
    title: "cut inside input_json_delta",
    forms: STREAMED,
    accounts: [
      [
        {
          content: "tool_use",
          events: 8,
          event_interval_ms: INTERVAL_MS,
          fault: { kind: "cut", after_event: MIDWAY, by: "rst" },
        },
      ],
      FINE,
    ],
    best: "error-end",
    attemptsMax: [1, 1],
  },
  {
    id: "F05",
    title: "no message_stop",
    forms: STREAMED,
    accounts: [[{ events: 4, event_interval_ms: 25, fault: { kind: "missing_message_stop" } }], FINE],
    best: "error-end",
    attemptsMax: [1, 1],
  },
  {
    id: "F06",
    title: "pings and nothing else",
    forms: STREAMED,
    accounts: [[{ fault: { kind: "ping_only" }, event_interval_ms: 50 }], FINE],
    best: "answer",
    attemptsMax: [1, 1],
  },
  {
    id: "F07",
    title: "characters cut by chunks",
    forms: STREAMED,
    accounts: [[{ text: WIDE_TEXT, chunk_bytes: 7 }]],
    best: "answer",
    attemptsMax: [1],
    finds: arrivesUncut,
  },
  {
    id: "F08",
    title: "message_start, then silence; the caller is sent pings",
    best: "answer",
    run: pingsWhileSilent,
  },
  { id: "F09", title: "the client leaves at every event boundary", best: "answer", run: leaveEverywhere },
  {
    id: "F10",
    title: "kill -9 of the gateway in the middle of a stream",
    best: "error-end",
    run: killProcess,
  },
  { id: "F11", title: "PostgreSQL stopped", best: "answer", run: stopDatabase },
  { id: "F12", title: "one worker thread of each kind killed", best: "error-end", run: killThreads },
  {
    id: "F13",
    title: "broken chunk framing",
    forms: STREAMED,
    accounts: [
      [
        {
          events: 8,
          event_interval_ms: INTERVAL_MS,
          fault: { kind: "malformed_chunk", after_event: MIDWAY },
        },
      ],
      FINE,
    ],
    best: "error-end",
    attemptsMax: [1, 1],
  },
  {
    id: "F14",
    title: "a whole answer cut in the middle",
    forms: ["whole"],
    accounts: [[{ fault: { kind: "cut", after_bytes: 100 } }], FINE],
    best: "answer",
    attemptsMax: [3, 1],
  },
  {
    id: "F15",
    title: "context length exceeded, none larger at hand",
    forms: BOTH,
    accounts: [[{ status: 400, error_message: "prompt is too long: 210000 tokens > 200000 maximum" }], FINE],
    best: "relayed",
    attemptsMax: [1, 0],
    finds: isRelayed("prompt is too long"),
  },
  { id: "F16", title: "Redis stands still", best: "answer", run: pauseRedis },
];
