import type { Attempt } from "#simulator/attempt.ts";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import {
  createTenant,
  eventually,
  startGatewayProcess,
  type Tenant,
  type TenantOptions,
  type TestGateway,
  type UsageRow,
  usageOf,
} from "#support/gateway.ts";
import { freshPostgresDatabase } from "#support/servers.ts";

/** The model that requests ask for unless told otherwise. */
const MODEL = "claude-sonnet-4-6";

/** One client request. */
interface Ask {
  readonly stream?: boolean;
  /** What its first and only message says. */
  readonly says?: string;
  /** Fields of the body besides, or instead of, the usual. */
  readonly body?: Record<string, unknown>;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** A gateway process, and a simulator that its accounts send to. */
export interface Stage {
  readonly gateway: TestGateway;
  readonly simulator: Simulator;
  /** A tenant with an unlimited user and these accounts, each with an upstream key of its own. */
  tenant(accounts: readonly Record<string, unknown>[], options?: Partial<TenantOptions>): Promise<Tenant>;
  /** Sends a Messages request. */
  ask(key: string, ask?: Ask): Promise<Response>;
  /** What the upstream saw of one of its keys, in order. */
  attemptsOf(upstreamKey: string): readonly Attempt[];
  /** Index of the tenant's account whose answer this is. */
  servedBy(answer: Response, tenant: Tenant): number;
  /** The only usage row of a tenant's user, which there must be. */
  onlyRow(tenant: Tenant): Promise<UsageRow>;
  /** Changes settings of the gateway; null returns one to its default. */
  set(settings: Record<string, unknown>): Promise<void>;
  close(): Promise<void>;
}

let stages = 0;

/** With `STAGE_ON_REDIS` the gateway is one node of a cluster: what holds in memory holds on Redis as well. */
export function onRedis(): Record<string, string> {
  if (process.env["STAGE_ON_REDIS"] === undefined) return {};
  const REDIS_NAMESPACE = `stage-${process.pid}-${++stages}`;
  return { REDIS_URL: process.env["TEST_REDIS_URL"] ?? "", REDIS_NAMESPACE };
}

/** Starts both, on the PostgreSQL server of the tests where there is one. */
export async function openStage(env: Record<string, string> = {}): Promise<Stage> {
  const hasServer = process.env["TEST_DATABASE_URL"] !== undefined;
  const database = hasServer ? await freshPostgresDatabase() : undefined;
  const simulator = await startSimulator();
  const gateway = await startGatewayProcess({
    HTTP_THREADS: "2",
    LOG_LEVEL: "warn",
    ...(database === undefined ? {} : { DATABASE_URL: database.url, ...onRedis() }),
    ...env,
  });
  const attemptsOf = (upstreamKey: string): readonly Attempt[] =>
    simulator.attempts().filter(({ apiKey }) => apiKey === upstreamKey);
  return {
    gateway,
    simulator,
    tenant: (accounts, options = {}) =>
      createTenant(gateway, {
        upstreamUrl: simulator.url,
        accounts,
        ...options,
        user: { concurrency: 0, ...options.user },
      }),
    ask: (key, { stream = false, says = "Hello", body = {}, headers = {}, signal } = {}) =>
      fetch(`${gateway.url}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": key, "content-type": "application/json", ...headers },
        body: JSON.stringify({
          model: MODEL,
          max_tokens: 100,
          stream,
          messages: [{ role: "user", content: says }],
          ...body,
        }),
        ...(signal && { signal }),
      }),
    attemptsOf,
    servedBy: (answer, { upstreamKeys }) => {
      // The simulator numbers its answers like its attempts.
      const sequence = Number(/\d+$/.exec(answer.headers.get("request-id") ?? "")?.[0]);
      const [attempt] = simulator.attempts(sequence - 1);
      return upstreamKeys.indexOf(attempt?.apiKey ?? "");
    },
    onlyRow: async ({ userId }) => {
      const rows = await eventually(
        () => usageOf(gateway, userId),
        (found) => found.length > 0,
      );
      if (rows.length !== 1 || rows[0] === undefined) throw new Error(`there are ${rows.length} rows`);
      return rows[0];
    },
    set: async (settings) => void (await gateway.admin("PATCH", "/settings", settings)),
    close: async () => {
      await gateway.dispose();
      await simulator.stop();
      await database?.close();
    },
  };
}
