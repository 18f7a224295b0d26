import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import { createTenant, startGatewayProcess, type Tenant, type TestGateway } from "#support/gateway.ts";
import { freshPostgresDatabase } from "#support/servers.ts";

const ENCRYPTION_KEY = Buffer.alloc(32, 7).toString("base64");
const MODEL = "claude-sonnet-4-6";

let clusters = 0;

/** Several gateway processes that share a database and a Redis, and a simulator that their accounts send to. */
export interface Cluster {
  readonly nodes: readonly TestGateway[];
  readonly simulator: Simulator;
  readonly namespace: string;
  readonly env: Record<string, string>;
  tenant(accounts: readonly Record<string, unknown>[], user?: Record<string, unknown>): Promise<Tenant>;
  /** Sends a Messages request to a node. */
  ask(node: number, key: string, plan?: object): Promise<Response>;
  close(): Promise<void>;
}

/** Starts so many nodes, on the Redis of the tests unless another one is given. */
export async function openCluster(
  size: number,
  redisUrl = process.env["TEST_REDIS_URL"] ?? "",
  env: Record<string, string> = {},
): Promise<Cluster> {
  const database = await freshPostgresDatabase();
  const simulator = await startSimulator();
  const namespace = `e2e-${process.pid}-${++clusters}`;
  const shared = {
    HTTP_THREADS: "2",
    PARSE_THREADS: "1",
    LOG_LEVEL: "warn",
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl,
    REDIS_NAMESPACE: namespace,
    ENCRYPTION_KEY,
    ...env,
  };
  const nodes = await Promise.all(Array.from({ length: size }, () => startGatewayProcess(shared)));
  const at = (node: number): TestGateway => nodes[node] as TestGateway;
  return {
    nodes,
    simulator,
    namespace,
    env: shared,
    tenant: (accounts, user = {}) =>
      createTenant(at(0), { upstreamUrl: simulator.url, accounts, user: { concurrency: 0, ...user } }),
    ask: (node, key, plan = {}) =>
      fetch(`${at(node).url}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": key },
        body: JSON.stringify({
          model: MODEL,
          max_tokens: 100,
          messages: [{ role: "user", content: "Hello" }],
          simulator: plan,
        }),
        // A connection of its own, so that the kernel spreads the requests over the threads.
        keepalive: false,
      }),
    close: async () => {
      await Promise.all(nodes.map((node) => node.dispose()));
      await simulator.stop();
      await database.close();
    },
  };
}
