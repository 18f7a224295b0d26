import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ADMIN_TOKEN = "test-admin-token-0123456789";
const START_MS_MAX = 60_000;

/** A gateway process, started as an operator would start it. */
export interface TestGateway {
  readonly url: string;
  readonly pid: number;
  readonly dataDir: string;
  readonly adminToken: string;
  /** Everything it has printed so far. */
  output(): string;
  /** Calls the admin API and returns the parsed answer; throws with the answer's text on an error status. */
  admin<Answer = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Ends it in order, and returns its exit code. */
  stop(): Promise<number>;
  kill(): Promise<void>;
  /** Writes a line to its standard input. */
  say(line: string): void;
  /** Starts it again on the same data. */
  restart(): Promise<TestGateway>;
  /** Stops it if need be and deletes its data. */
  dispose(): Promise<void>;
}

/** Starts a gateway on a free port with its own data folder; `env` comes on top. */
export async function startGatewayProcess(
  env: Record<string, string> = {},
  dataDir?: string,
  entry = "src/main.ts",
): Promise<TestGateway> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), "sluice-gateway-")));
  const child = Bun.spawn([process.execPath, entry], {
    cwd: join(import.meta.dir, "../.."),
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "",
      PORT: "0",
      DATA_DIR: folder,
      ADMIN_TOKEN,
      ALLOW_PRIVATE_UPSTREAMS: "true",
      LOG_FORMAT: "json",
      ...env,
    },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  let printed = "";
  const serving = Promise.withResolvers<string>();
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      printed += decoder.decode(chunk, { stream: true });
      const url = /Sluice serves at (\S+)/.exec(printed)?.[1];
      if (url !== undefined) serving.resolve(url);
    }
  };
  void collect(child.stdout);
  void collect(child.stderr);
  const timer = setTimeout(
    () => serving.reject(new Error(`no start within the limit:\n${printed}`)),
    START_MS_MAX,
  );
  void child.exited.then((code) =>
    serving.reject(new Error(`ended with ${code} before it served:\n${printed}`)),
  );
  const url = await serving.promise.finally(() => clearTimeout(timer));
  const adminToken = env["ADMIN_TOKEN"] ?? ADMIN_TOKEN;
  const stop = async (): Promise<number> => {
    child.kill("SIGTERM");
    return await child.exited;
  };
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return {
    url,
    pid: child.pid,
    dataDir: folder,
    adminToken,
    output: () => printed,
    admin: (method, path, body) => callAdmin(`${url}/admin${path}`, method, adminToken, body),
    stop,
    kill,
    say: (line) => {
      child.stdin.write(`${line}\n`);
      child.stdin.flush();
    },
    restart: () => startGatewayProcess(env, folder, entry),
    dispose: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function callAdmin<Answer>(
  url: string,
  method: string,
  token: string,
  body?: unknown,
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text}`);
  return (text === "" ? {} : JSON.parse(text)) as Answer;
}

/** What a test needs to send requests: a group with accounts, a user and a key. */
export interface Tenant {
  readonly groupId: number;
  readonly accountIds: readonly number[];
  /** What each account presents to its upstream. */
  readonly upstreamKeys: readonly string[];
  readonly userId: number;
  readonly keyId: number;
  readonly key: string;
}

/** Fields of a tenant's parts that differ from the usual. */
export interface TenantOptions {
  readonly upstreamUrl: string;
  readonly group?: Record<string, unknown>;
  readonly accounts?: readonly Record<string, unknown>[];
  readonly user?: Record<string, unknown>;
  readonly apiKey?: Record<string, unknown>;
}

let tenants = 0;

/** Makes a tenant of its own, so that tests do not meet each other. */
export async function createTenant(
  gateway: Pick<TestGateway, "admin">,
  { upstreamUrl, group: groupFields = {}, accounts = [{}], user = {}, apiKey = {} }: TenantOptions,
): Promise<Tenant> {
  const name = `tenant ${process.pid} ${++tenants}`;
  type Created = { readonly id: number; readonly key: string };
  const group = await gateway.admin<Created>("POST", "/groups", {
    name,
    platform: "anthropic",
    ...groupFields,
  });
  const accountIds: number[] = [];
  const upstreamKeys: string[] = [];
  for (const [index, account] of accounts.entries()) {
    const ownKey = (account["credentials"] as { api_key: string } | undefined)?.api_key;
    const upstreamKey = ownKey ?? `upstream-${name.replaceAll(" ", "-")}-${index}`;
    upstreamKeys.push(upstreamKey);
    const { id } = await gateway.admin<Created>("POST", "/accounts", {
      name: `${name} account ${index}`,
      platform: "anthropic",
      type: "api_key",
      credentials: { api_key: upstreamKey },
      base_url: upstreamUrl,
      group_ids: [group.id],
      concurrency: 1_000,
      ...account,
    });
    accountIds.push(id);
  }
  const owner = await gateway.admin<Created>("POST", "/users", {
    name,
    balance_usd: "100",
    concurrency: 1_000,
    ...user,
  });
  const key = await gateway.admin<Created>("POST", "/api-keys", {
    user_id: owner.id,
    group_id: group.id,
    name,
    ...apiKey,
  });
  return { groupId: group.id, accountIds, upstreamKeys, userId: owner.id, keyId: key.id, key: key.key };
}

/** A usage row as the admin API shows it. */
export interface UsageRow {
  readonly request_id: string;
  readonly status: string;
  readonly http_status: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_creation_tokens: number;
  readonly cache_read_tokens: number;
  readonly cost_usd: string | null;
  readonly stream: boolean;
  readonly attempts: number;
  readonly model: string;
  readonly account_id: number | null;
  readonly first_token_ms: number | null;
}

/** Every usage row of a user, read page by page. */
export async function usageOf(
  gateway: Pick<TestGateway, "admin">,
  userId: number,
): Promise<readonly UsageRow[]> {
  const rows: UsageRow[] = [];
  for (let cursor = ""; ; ) {
    const page = await gateway.admin<{ data: UsageRow[]; next_cursor: string | null }>(
      "GET",
      `/usage?user_id=${userId}&limit=1000${cursor}`,
    );
    rows.push(...page.data);
    if (page.next_cursor === null) return rows;
    cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
  }
}

/** Waits until a condition holds, looking often, and fails with its last value after a limit. */
export async function eventually<Value>(
  read: () => Promise<Value> | Value,
  holds: (value: Value) => boolean,
  limitMs = 10_000,
): Promise<Value> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (performance.now() > deadline)
      throw new Error(`still not so: ${JSON.stringify(value)?.slice(0, 500)}`);
    await Bun.sleep(20);
  }
}
