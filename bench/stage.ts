import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServingProcess, serve } from "./processes.ts";

const ADMIN_TOKEN = "bench-admin-token";

/** A simulated upstream and a gateway in front of it, each a process of its own. */
export interface Stage {
  readonly simulator: ServingProcess;
  readonly sluice: ServingProcess;
  /** Makes a group with one account and a key that can use it. */
  tenant(options?: TenantOptions): Promise<{ readonly key: string; readonly upstreamKey: string }>;
  stop(): Promise<void>;
}

interface TenantOptions {
  /** The account's limit. */
  readonly concurrency?: number;
  /** Where the account leads; the simulator unless given. */
  readonly upstream?: string;
}

let tenants = 0;

/**
 * Starts the stage. `BENCH_DATABASE_URL` names an empty PostgreSQL database; without it the gateway runs on
 * its embedded one, whose work then counts as the gateway's.
 */
export async function openStage(env: Record<string, string> = {}): Promise<Stage> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const databaseUrl = process.env["BENCH_DATABASE_URL"];
  const simulator = await serve({
    name: "simulator",
    args: ["src/simulator/main.ts", "--port", "0"],
    urlIn: /"url":"([^"]+)"/,
  });
  const sluice = await serve({
    name: "sluice",
    args: ["src/main.ts"],
    env: {
      PORT: "0",
      DATA_DIR: dataDir,
      ADMIN_TOKEN,
      ALLOW_PRIVATE_UPSTREAMS: "true",
      LOG_FORMAT: "json",
      ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
      ...env,
    },
    urlIn: /Sluice serves at (\S+)/,
  });
  return {
    simulator,
    sluice,
    tenant: (options) => createTenant(sluice.url, { upstream: simulator.url, ...options }),
    stop: async () => {
      await sluice.stop();
      await simulator.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function createTenant(
  url: string,
  { concurrency = 10_000, upstream }: TenantOptions & { readonly upstream: string },
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
  const user = await create("users", { name, balance_usd: "1000000", concurrency: 0 });
  const { key } = await create("api-keys", { user_id: user.id, group_id: group.id, name });
  return { key, upstreamKey };
}
