import http from "node:http";
import https from "node:https";
import { parseArgs } from "node:util";
import { Cancellation } from "#kernel/cancellation.ts";
import { openUpstream } from "#upstream/send.ts";

/**
 * One HTTP client in a process of its own: sends requests, so many at a time, and prints what each has cost. Every
 * request can be aborted and its answer is read to its end, as the gateway does.
 */
const { values } = parseArgs({
  options: {
    client: { type: "string", default: "fetch" },
    url: { type: "string", default: "" },
    requests: { type: "string", default: "1" },
    connections: { type: "string", default: "1" },
  },
});
const WARM_UP = 1.5;
const [requests, connections] = [Number(values.requests), Number(values.connections)];
const body = JSON.stringify({
  model: "claude-sonnet-4-6",
  max_tokens: 64,
  messages: [{ role: "user", content: "Hi" }],
});
const headers = {
  "x-api-key": "bench",
  "anthropic-version": "2023-06-01",
  "content-type": "application/json",
  "accept-encoding": "identity",
};

const CLIENTS: Readonly<Record<string, () => Promise<void>>> = {
  fetch: () => viaFetch(),
  "fetch-http2": () => viaFetch({ protocol: "http2" }),
  node: () => viaNode(),
  own: () => viaOwn(),
};

const upstream = openUpstream({ allowPrivate: true, trustedOrigins: [] });
const bytes = new TextEncoder().encode(body);
const ANSWER_BYTES_MAX = 1_048_576;

async function viaOwn(): Promise<void> {
  const asked = { method: "POST", url: values.url, headers, body: bytes } as const;
  const answer = await upstream.send(asked, new Cancellation());
  await answer.bytes(ANSWER_BYTES_MAX);
  if (answer.status !== 200) throw new Error(`status ${answer.status}`);
}

async function viaFetch(extra: object = {}): Promise<void> {
  const { signal } = new AbortController();
  const answer = await fetch(values.url, { method: "POST", headers, body, signal, ...extra });
  await answer.bytes();
  if (answer.status !== 200) throw new Error(`status ${answer.status}`);
}

const { request, Agent } = values.url.startsWith("https:") ? https : http;
const agent = new Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections });

function viaNode(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { signal } = new AbortController();
  const asked = request(values.url, { method: "POST", headers, agent, signal }, (answer) => {
    answer.on("data", () => undefined);
    answer.on("end", () =>
      answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`)),
    );
    answer.on("error", reject);
  });
  asked.on("error", reject);
  asked.end(body);
  return promise;
}

async function send(count: number): Promise<void> {
  let left = count;
  const ask = CLIENTS[values.client] ?? CLIENTS["fetch"];
  const caller = async (): Promise<void> => {
    while (left-- > 0) await ask?.();
  };
  await Promise.all(Array.from({ length: connections }, caller));
}

await send(requests * WARM_UP);
const before = process.cpuUsage();
const startedAt = performance.now();
await send(requests);
const { user, system } = process.cpuUsage(before);
const seconds = (performance.now() - startedAt) / 1_000;
process.stdout.write(
  `${JSON.stringify({ micros: (user + system) / requests, perSecond: requests / seconds })}\n`,
);
process.exit(0);
