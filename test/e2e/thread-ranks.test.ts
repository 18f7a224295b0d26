import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import { createTenant, eventually, startGatewayProcess, type TestGateway } from "#support/gateway.ts";
import { freshPostgresDatabase, type TestServer } from "#support/servers.ts";

/** Field of `/proc/PID/task/TID/stat` behind the name (proc_pid_stat(5)): niceness. */
const NICE_FIELD = 16;

let database: TestServer;
let simulator: Simulator;
let gateway: TestGateway;

beforeAll(async () => {
  database = await freshPostgresDatabase();
  simulator = await startSimulator();
  gateway = await startGatewayProcess({ HTTP_THREADS: "1", DATABASE_URL: database.url });
}, 60_000);

afterAll(async () => {
  await gateway.dispose();
  await simulator.stop();
  await database.close();
});

interface Thread {
  readonly name: string;
  readonly nice: number;
}

function threads(): readonly Thread[] {
  const tasks = `/proc/${gateway.pid}/task`;
  return readdirSync(tasks).map((id) => {
    const stat = readFileSync(`${tasks}/${id}/stat`, "utf8");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { name, nice: Number(fields[NICE_FIELD]) };
  });
}

test.skipIf(process.platform !== "linux")(
  "what compiles yields to what serves, and no other thread asks upstreams",
  async () => {
    const tenant = await createTenant(gateway, { upstreamUrl: simulator.url });
    const answer = await fetch(`${gateway.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": tenant.key, "content-type": "application/json" },
      body: JSON.stringify({
        model: "claude-sonnet-4-6",
        max_tokens: 10,
        messages: [{ role: "user", content: "Hello" }],
      }),
    });
    expect(answer.status).toBe(200);
    await eventually(threads, areRanked);
  },
);

function areRanked(found: readonly Thread[]): boolean {
  const all = (start: string, isSo: (thread: Thread) => boolean): boolean => {
    const named = found.filter(({ name }) => name.startsWith(start));
    return named.length > 0 && named.every(isSo);
  };
  return (
    all("http ", ({ nice }) => nice === 0) &&
    all("mi-scavenger", ({ nice }) => nice === 10) &&
    all("JITWorker", ({ nice }) => nice === 10) &&
    !found.some(({ name }) => name.startsWith("HTTP Client"))
  );
}
