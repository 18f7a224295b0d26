import type { BenchRun } from "./bench-run.ts";
import { makeCertificate } from "./lab.ts";
import { pinsFor } from "./pins.ts";
import { type ServingProcess, serve } from "./processes.ts";
import { type Spread, spreadOf } from "./table.ts";

const CONNECTIONS = [32, 256, 2_000] as const;
const REQUESTS = 6_000;
const URL_IN = /"url":"([^"]+)"/;
const REPLAY = "bench/load/upstream.ts";

/** Who is asked by what; the upstream is not measured. */
const ROWS = [
  { name: "our own, plain", client: "own", upstream: REPLAY, isTls: false },
  { name: "our own, TLS", client: "own", upstream: REPLAY, isTls: true },
  { name: "`fetch`, plain", client: "fetch", upstream: REPLAY, isTls: false },
  { name: "`fetch`, TLS", client: "fetch", upstream: REPLAY, isTls: true },
  {
    name: "`fetch`, HTTP/2 over TLS",
    client: "fetch-http2",
    upstream: "bench/clients/http2-upstream.ts",
    isTls: true,
  },
  { name: "`node:http` with an agent, plain", client: "node", upstream: REPLAY, isTls: false },
  { name: "`node:https` with an agent, TLS", client: "node", upstream: REPLAY, isTls: true },
] as const;

/** What the HTTP clients of the runtime and our own cost, by how many requests are under way. */
export async function upstreamClients({ options, say, report }: BenchRun): Promise<void> {
  const pins = pinsFor(options);
  const certificate = makeCertificate();
  const upstreams: ServingProcess[] = [];
  const costs = ROWS.map(() => CONNECTIONS.map((): number[] => []));
  try {
    for (const { upstream, isTls } of ROWS) {
      const args = [upstream, ...(isTls ? certificate.args : [])];
      upstreams.push(await serve({ name: upstream, args, pin: pins.load, urlIn: URL_IN }));
    }
    for (let round = 0; round < options.rounds; round++) {
      say(`round ${round + 1} of ${options.rounds}`);
      for (const [place, connections] of CONNECTIONS.entries()) {
        for (const [row, { client }] of ROWS.entries()) {
          const url = `${upstreams[row]?.url}/v1/messages`;
          costs[row]?.[place]?.push(
            microsOf([...pins.subject], { client, url, connections }, certificate.certFile),
          );
        }
      }
    }
  } finally {
    for (const upstream of upstreams) await upstream.stop();
    await certificate.stop();
  }
  report({
    id: "upstream-clients",
    title: "CPU per request of HTTP clients, by requests under way",
    columns: CONNECTIONS.map((connections) => ({ name: connections.toLocaleString("en"), unit: "µs" })),
    rows: ROWS.map(({ name }, row) => ({
      name,
      cells: CONNECTIONS.map((_, place): Spread => spreadOf(costs[row]?.[place] ?? [])),
    })),
    notes: [
      "Small JSON, each request can be called off, each answer read to its end; of the client's process alone.",
    ],
  });
}

function microsOf(
  pin: readonly string[],
  asked: { readonly client: string; readonly url: string; readonly connections: number },
  certFile: string,
): number {
  const { client, url, connections } = asked;
  const args = [
    "--client",
    client,
    "--url",
    url,
    "--connections",
    String(connections),
    "--requests",
    String(REQUESTS),
  ];
  const child = Bun.spawnSync([...pin, process.execPath, "bench/clients/client.ts", ...args], {
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "20000", NODE_EXTRA_CA_CERTS: certFile },
    stderr: "inherit",
  });
  if (!child.success) throw new Error(`${client} at ${connections}: exit code ${child.exitCode}`);
  return (JSON.parse(child.stdout.toString()) as { readonly micros: number }).micros;
}
