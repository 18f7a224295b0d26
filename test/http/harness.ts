import { AccountSpend } from "#accounts/account-spend.ts";
import type { AccountVitals } from "#coordination/account-vitals.ts";
import type { BindingFilter } from "#coordination/session-bindings.ts";
import type { SlotStatus } from "#coordination/slots.ts";
import { GatewayMetrics } from "#gateway/metrics.ts";
import { RecentTraces } from "#gateway/recent-traces.ts";
import type { GatewayServices } from "#gateway/services.ts";
import type { AdminOptions } from "#http/admin/admin-options.ts";
import { systemClock } from "#kernel/clock.ts";
import { Cohorts } from "#kernel/cohorts.ts";
import { Fault } from "#kernel/fault.ts";
import type { Log } from "#kernel/log.ts";
import { Secret } from "#kernel/secret.ts";
import { Vault } from "#kernel/vault.ts";
import { Snapshot } from "#snapshot/snapshot.ts";
import { migrate } from "#storage/migrate.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import { freshEmbeddedDatabase, freshPostgresDatabase } from "#support/servers.ts";
import type { ChangeNotice } from "#threads/messages.ts";
import { buildApp } from "../../src/app.ts";

export const ADMIN_TOKEN = "admin-token-of-the-tests";
const IDLE: SlotStatus = { inFlight: 0, waiting: 0, limit: 0, oldestWaitMs: 0 };

/** The figures of an account that nobody has used yet. */
const FRESH = {
  lastUsedMs: 0,
  coolingUntilMs: 0,
  coolingReason: undefined,
  headroom: () => 1,
  requestsInMinute: () => 0,
  circuit: () => "closed",
  firstTokenMs: 0,
  errorRate: 0,
  activeSessions: () => 0,
} as const satisfies Partial<AccountVitals>;

/** An answer of the app, read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  readonly json: any;
}

/** The whole app over a database of its own; what would reach other threads is written down. */
export interface TestApp {
  readonly app: ReturnType<typeof buildApp>;
  readonly storage: Storage;
  readonly vault: Vault;
  readonly announced: ChangeNotice[];
  /** Lines logged so far, as text. */
  readonly logged: string[];
  /** What tests set to make the surroundings behave. */
  readonly world: {
    slots: SlotStatus;
    /** What the figures of every account differ in from those of a fresh one. */
    vitals: Partial<AccountVitals>;
    /** What was done to the coordinator, in order. */
    readonly recovered: string[];
    readonly flushed: BindingFilter[];
    readonly traces: Map<string, object>;
    flushes: number;
    flushFails: boolean;
    announceFails: boolean;
    problems: readonly string[] | Error;
  };
  /** What accounts have cost. */
  readonly spend: AccountSpend;
  /** Calls the admin API with the admin token. */
  admin(method: string, path: string, body?: unknown): Promise<Answer>;
  request(method: string, path: string, init?: RequestInit): Promise<Answer>;
  close(): Promise<void>;
}

/** Starts the app; with `TEST_DATABASE_URL` on that server, else on an embedded database. */
export async function startApp(): Promise<TestApp> {
  const hasServer = process.env["TEST_DATABASE_URL"] !== undefined;
  const database = await (hasServer ? freshPostgresDatabase() : freshEmbeddedDatabase());
  await migrate(database.url);
  const test = appOver(openStorage(database.url, { connectionsMax: 2 }));
  return {
    ...test,
    close: async () => {
      await test.close();
      await database.close();
    },
  };
}

/** The app over a given storage, which it closes in the end. */
export function appOver(storage: Storage): TestApp {
  const vault = new Vault(Buffer.alloc(32, 7).toString("base64"));
  const announced: ChangeNotice[] = [];
  const logged: string[] = [];
  const world: TestApp["world"] = {
    slots: IDLE,
    vitals: {},
    recovered: [],
    flushed: [],
    traces: new Map(),
    flushes: 0,
    flushFails: false,
    announceFails: false,
    problems: [],
  };
  const log = writtenLog(logged);
  const spend = new AccountSpend();
  const app = buildApp({
    gateway: {
      services: refusingServices(log),
      bodyLimits: { bytesMax: 1_000, readMs: 1_000 },
      arrivals: new Cohorts(),
      trustedProxies: { isEmpty: true, has: () => false },
      isDraining: () => false,
    },
    snapshot: new Snapshot({ rows: storage.snapshot, vault, log }),
    admin: {
      storage,
      vault,
      adminToken: new Secret(ADMIN_TOKEN),
      checkBaseUrl: async (text) =>
        text.includes("forbidden")
          ? { ok: false, reason: "is forbidden here" }
          : { ok: true, url: text.replace(/\/$/, "") },
      announceChange: async (change) => {
        if (world.announceFails) throw new Error("the other threads are gone");
        announced.push(change);
      },
      backlog: async () => ({ records: 3, bytes: 4_096, oldestMs: 1_500, canAccept: true }),
      journalBytesMax: 1_000_000,
      flushLedger: async () => {
        world.flushes += 1;
        if (world.flushFails) throw new Error("the ledger is stuck");
      },
      slots: { status: () => world.slots },
      spend,
      ...coordinatorOf(world),
      clock: systemClock,
      log,
    },
    operations: {
      limitations: async () => [],
      problems: async () => {
        if (world.problems instanceof Error) throw world.problems;
        return world.problems;
      },
      metricsText: async () => "sluice_requests_total 1\n",
    },
  });
  const request = async (method: string, path: string, init: RequestInit = {}): Promise<Answer> =>
    await read(await app.handle(new Request(`http://localhost${path}`, { ...init, method })));
  return {
    app,
    storage,
    vault,
    announced,
    logged,
    world,
    spend,
    request,
    admin: (method, path, body) =>
      request(method, `/admin${path}`, {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    close: () => storage.close(),
  };
}

/** What the admin API asks of the coordinator and of the other threads, answered from what a test has set. */
function coordinatorOf(world: TestApp["world"]): Pick<AdminOptions, "vitals" | "sessions" | "traceOf"> {
  return {
    vitals: {
      of: (id) =>
        ({
          ...FRESH,
          ...world.vitals,
          recover: () => void world.recovered.push(`account ${id}`),
        }) as object as AccountVitals,
      recoverModels: (id) => void world.recovered.push(`models of ${id}`),
    },
    sessions: { flush: (filter) => world.flushed.push(filter) },
    traceOf: async (requestId) => world.traces.get(requestId),
  };
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text !== "" ? JSON.parse(text) : undefined,
  };
}

/** Nobody has an API key here, so of the gateway only the refusal is ever reached. */
function refusingServices(log: Log): GatewayServices {
  const refuse = (): never => {
    throw new Fault("auth.key_invalid");
  };
  return {
    clock: systemClock,
    log,
    metrics: new GatewayMetrics(),
    limits: { pingMs: 1_000 },
    traces: new RecentTraces(),
    identity: { authenticate: refuse, identify: refuse },
  } as object as GatewayServices;
}

function writtenLog(lines: string[]): Log {
  const write = (event: string, fields: object = {}): void => {
    lines.push(`${event} ${JSON.stringify(fields)}`);
  };
  return { debug: write, info: write, warn: write, error: write };
}
