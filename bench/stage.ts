import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDatabase } from "./databases.ts";
import type { Options } from "./options.ts";
import { pinsFor } from "./pins.ts";
import { type ServingProcess, serve } from "./processes.ts";

/** Bearer token of the admin API of every gateway that is measured. */
export const ADMIN_TOKEN = "bench-admin-token";
/** More than any load has under way, and still a limit, so that slots are taken and given back. */
const CONCURRENCY = 10_000;

/** What of the command line decides how a gateway is started. */
export type StageOptions = Pick<Options, "threads" | "postgres" | "redis" | "pin">;

/** A gateway that is measured. */
export interface Sluice extends ServingProcess {
  /** Makes a group with one account and a key that can use it. */
  tenant(tenant: Tenant): Promise<{ readonly key: string; readonly upstreamKey: string }>;
}

/** Who calls, and where the calls go. */
export interface Tenant {
  /** The account's base URL. */
  readonly upstream: string;
  /** The account's limit; 0 for none. */
  readonly concurrency?: number;
  /** The user's limit; 0 for none. */
  readonly userConcurrency?: number;
}

let tenants = 0;

/** How one gateway differs from the others. */
export interface SluiceVariant {
  /** On top of the defaults. */
  readonly env?: Readonly<Record<string, string>>;
  /** Loaded before the gateway. */
  readonly preload?: string;
}

/** Starts a gateway in a process of its own, on a new database and data directory. */
export async function openSluice(
  options: StageOptions,
  { env = {}, preload }: SluiceVariant = {},
): Promise<Sluice> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const database = options.postgres === undefined ? undefined : await makeDatabase(options.postgres);
  const sluice = await serve({
    name: "Sluice",
    args: [...(preload === undefined ? [] : ["--preload", preload]), "src/main.ts"],
    pin: pinsFor(options).subject,
    env: {
      PORT: "0",
      DATA_DIR: dataDir,
      ADMIN_TOKEN,
      ALLOW_PRIVATE_UPSTREAMS: "true",
      LOG_FORMAT: "json",
      HTTP_THREADS: String(options.threads),
      ...(database === undefined ? {} : { DATABASE_URL: database.url }),
      ...(options.redis === undefined ? {} : { REDIS_URL: options.redis }),
      ...env,
    },
    urlIn: /Sluice serves at (\S+)/,
  });
  return {
    ...sluice,
    tenant: (tenant) => createTenant(sluice.url, tenant),
    stop: async () => {
      await sluice.stop();
      await database?.drop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** A simulated upstream and a gateway in front of it. */
export interface Stage {
  readonly simulator: ServingProcess;
  readonly sluice: Sluice;
  stop(): Promise<void>;
}

/** Starts the stage. The simulator can be told how to answer, and when. */
export async function openStage(
  options: StageOptions,
  env: Readonly<Record<string, string>> = {},
): Promise<Stage> {
  const simulator = await startSimulatedUpstream(options);
  const sluice = await openSluice(options, { env });
  return {
    simulator,
    sluice,
    stop: async () => {
      await sluice.stop();
      await simulator.stop();
    },
  };
}

/** An upstream that can be told how to answer, and when. */
export function startSimulatedUpstream(options: Pick<Options, "pin" | "threads">): Promise<ServingProcess> {
  return serve({
    name: "simulator",
    args: ["src/simulator/main.ts", "--port", "0"],
    pin: pinsFor(options).load,
    urlIn: /"url":"([^"]+)"/,
  });
}

async function createTenant(
  url: string,
  { upstream, concurrency = CONCURRENCY, userConcurrency = CONCURRENCY }: Tenant,
): Promise<{ key: string; upstreamKey: string }> {
  const create = async (path: string, body: object): Promise<{ id: number; key: string }> => {
    const answer = await fetch(`${url}/admin/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return (await answer.json()) as { id: number; key: string };
  };
  const name = `bench ${process.pid} ${++tenants}`;
  const upstreamKey = name.replaceAll(" ", "-");
  const group = await create("groups", { name, platform: "anthropic" });
  await create("accounts", {
    name,
    platform: "anthropic",
    type: "api_key",
    credentials: { api_key: upstreamKey },
    base_url: upstream,
    group_ids: [group.id],
    concurrency,
  });
  const user = await create("users", { name, balance_usd: "1000000", concurrency: userConcurrency });
  const { key } = await create("api-keys", { user_id: user.id, group_id: group.id, name });
  return { key, upstreamKey };
}
