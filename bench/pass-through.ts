/** The yardstick: `Bun.serve` and `fetch`, nothing else. `bun bench/pass-through.ts UPSTREAM_URL` prints its URL. */
const upstream = process.argv[2] ?? "";

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 0,
  fetch: (request) => {
    const { pathname } = new URL(request.url);
    return fetch(`${upstream}${pathname}`, {
      method: request.method,
      headers: {
        "x-api-key": "bench",
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
        "accept-encoding": "identity",
      },
      body: request.body,
    });
  },
});
process.stdout.write(`${JSON.stringify({ url: server.url.origin })}\n`);
