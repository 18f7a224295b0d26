/** What a request asks of the runtime, the disk and the database: counts, which no busy machine changes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import postgres from "postgres";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import {
  createTenant,
  eventually,
  startGatewayProcess,
  type Tenant,
  type TestGateway,
} from "#support/gateway.ts";
import { OBJECTS_KEPT, OBJECTS_MADE, type OperationCounts } from "#support/operation-names.ts";
import { freshPostgresDatabase, type TestServer } from "#support/servers.ts";

const REQUESTS = 200;
const WARM_UPS = 20;
/** Objects on the heap for each request, some of which the counting itself makes. */
const OBJECTS_MADE_MAX = 490;
const OBJECTS_KEPT_MAX = 15;
/** The promise that it shares with those whose records are written in the same turn; alone it makes it itself. */
const SHARED = 1;
/** Events of content of a stream. */
const EVENTS = 50;

let database: TestServer;
let simulator: Simulator;
let gateway: TestGateway;
let tenant: Tenant;

beforeAll(async () => {
  database = await freshPostgresDatabase();
  simulator = await startSimulator();
  const env = { HTTP_THREADS: "1", PARSE_THREADS: "1", DATABASE_URL: database.url };
  gateway = await startGatewayProcess(env, undefined, "test/support/counted-gateway.ts");
  tenant = await createTenant(gateway, { upstreamUrl: simulator.url });
  await ask(WARM_UPS, false);
  await ask(WARM_UPS, true);
  await operations();
}, 60_000);

afterAll(async () => {
  await gateway.dispose();
  await simulator.stop();
  await database.close();
});

/** Sends so many requests, one after the other, and reads every answer to its end. */
async function ask(count: number, stream: boolean): Promise<void> {
  const plan = stream ? { events: EVENTS, event_interval_ms: 0 } : { text: "an answer" };
  for (let sent = 0; sent < count; sent++) {
    const answer = await fetch(`${gateway.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": tenant.key, "content-type": "application/json" },
      body: JSON.stringify({
        model: "claude-sonnet-4-6",
        max_tokens: 100,
        stream,
        messages: [{ role: "user", content: "Hello" }],
        simulator: plan,
      }),
    });
    const text = await answer.text();
    expect([answer.status, text.includes(stream ? "message_stop" : "stop_reason")]).toEqual([200, true]);
  }
}

/** What was counted since this was asked the last time. */
async function operations(): Promise<OperationCounts> {
  const before = gateway.output().split("counted ").length;
  gateway.say("tell");
  const printed = await eventually(
    () => gateway.output().split("counted "),
    (parts) => parts.length > before && parts.at(-1)?.includes("}\n") === true,
  );
  return JSON.parse(printed.at(-1)?.split("\n")[0] ?? "{}") as OperationCounts;
}

/** The operations of one request: what many have done together, divided by their number. */
async function operationsOf(stream: boolean): Promise<OperationCounts> {
  await operations();
  await ask(REQUESTS, stream);
  const counted = Object.entries(await operations());
  return Object.fromEntries(counted.map(([name, count]) => [name, count / REQUESTS]));
}

/** Calls of `write` by the HTTP thread: to the journal, the log, and to wake other threads. Linux counts them. */
function writes(): number {
  const tasks = `/proc/${gateway.pid}/task`;
  const thread = readdirSync(tasks).find((id) =>
    /^http 0$/m.test(readFileSync(`${tasks}/${id}/comm`, "utf8")),
  );
  return Number(/^syscw: (\d+)/m.exec(readFileSync(`${tasks}/${thread}/io`, "utf8"))?.[1]);
}

test("a small request opens no connection, sets no timer of its own, and reads JSON twice", async () => {
  const counted = await operationsOf(false);
  expect([counted["fetch"], counted["Bun.connect"]]).toEqual([undefined, undefined]);
  // Timers are those of the thread: of the log, the ledger and the shared watch.
  expect((counted["setTimeout"] ?? 0) + (counted["setInterval"] ?? 0)).toBeLessThanOrEqual(3);
  expect(counted["JSON.parse"]).toBeLessThanOrEqual(2);
  expect(counted["TextDecoder"] ?? 0).toBeLessThanOrEqual(1);
  expect(counted["Response"]).toBe(1);
  expect(counted["AbortController"] ?? 0).toBe(0);
  expect(counted["Headers"] ?? 0).toBe(0);
  expect(counted["ReadableStream"] ?? 0).toBe(0);
  expect(counted["Promise.withResolvers"]).toBeLessThanOrEqual(3 + SHARED);
}, 60_000);

test("a small request makes few objects, and leaves none behind but its trace", async () => {
  const counted = await operationsOf(false);
  expect(counted[OBJECTS_MADE]).toBeLessThanOrEqual(OBJECTS_MADE_MAX);
  // What it leaves are the texts of its trace, which is kept for the next thousand requests.
  expect(counted[OBJECTS_KEPT]).toBeLessThanOrEqual(OBJECTS_KEPT_MAX);
}, 60_000);

test("a stream costs nothing that grows with its events", async () => {
  const counted = await operationsOf(true);
  expect([counted["fetch"], counted["Bun.connect"]]).toEqual([undefined, undefined]);
  // Of the answer its start and the last delta are read, and what is between is not.
  expect(counted["JSON.parse"]).toBeLessThanOrEqual(3);
  expect(counted["Promise.withResolvers"]).toBeLessThanOrEqual(5 + SHARED);
  expect(counted["Response"]).toBe(1);
  // What the upstream sends, and what the client gets.
  expect(counted["ReadableStream"]).toBe(2);
  expect(counted["TextDecoder"] ?? 0).toBeLessThanOrEqual(1);
  expect((counted["setTimeout"] ?? 0) + (counted["setInterval"] ?? 0)).toBeLessThanOrEqual(3);
}, 60_000);

test("the thread that serves writes a few times for a request, and its database hears nothing of it", async () => {
  const server = postgres(database.url, { max: 1 });
  try {
    const [{ now } = { now: new Date(0) }] = await server<{ now: Date }[]>`select clock_timestamp() as now`;
    const before = writes();
    await ask(REQUESTS, false);
    // The journal, the call to the upstream's thread, the log, and batches to the ledger.
    expect((writes() - before) / REQUESTS).toBeLessThanOrEqual(4);
    const whoAsked = async (): Promise<readonly string[]> => {
      const found = await server<{ name: string }[]>`
        select application_name as name from pg_stat_activity
        where datname = current_database() and query_start > ${now} and application_name like 'sluice%'`;
      return found.map(({ name }) => name);
    };
    // The books are kept meanwhile, by another thread.
    expect(await eventually(whoAsked, (names) => names.includes("sluice ledger"))).toEqual(["sluice ledger"]);
  } finally {
    await server.end();
  }
}, 60_000);
