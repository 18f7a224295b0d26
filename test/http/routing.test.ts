import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { openStorage } from "#storage/storage.ts";
import { ADMIN_TOKEN, appOver, type TestApp } from "./harness.ts";

/** Characters of three and four bytes, so that a decoder per chunk would show. */
const TEXT = "世🎉 é".repeat(20);

let t: TestApp;
let port: number;
let cancelled: PromiseWithResolvers<void>;

beforeAll(() => {
  t = appOver(openStorage("postgres://127.0.0.1:1/none", { connectionsMax: 1 }));
  cancelled = Promise.withResolvers();
  // What the gateway's own routes return: a response with a stream as its body, and an upstream's headers.
  t.app.get("/v1/byte-by-byte", () => byteByByte(), { detail: { hide: true } });
  t.app.get("/v1/endless", () => endless(() => cancelled.resolve()), { detail: { hide: true } });
  t.app.listen({ port: 0, hostname: "127.0.0.1", reusePort: false });
  port = t.app.server?.port ?? 0;
});
afterAll(async () => {
  await t.app.server?.stop(true);
  await t.close();
});

const url = (path: string): string => `http://127.0.0.1:${port}${path}`;

describe("a response passes untouched", () => {
  test("with characters split over chunks, its status and its headers", async () => {
    const response = await fetch(url("/v1/byte-by-byte"));
    expect(response.status).toBe(203);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("x-upstream")).toBe("kept");
    const names = [...response.headers.keys()].sort();
    expect(names).toEqual(["content-type", "date", "transfer-encoding", "x-upstream"]);
    expect(await response.text()).toBe(TEXT);
  });

  test("and a client that leaves cancels its stream", async () => {
    const abort = new AbortController();
    const response = await fetch(url("/v1/endless"), { signal: abort.signal });
    await response.body?.getReader().read();
    abort.abort();
    await cancelled.promise;
  });
});

describe("a request that no route takes", () => {
  test.each(["/v1", "/v1/nothing", "/antigravity/v1/nothing"])(
    "%s is answered in the gateway's dialect",
    async (path) => {
      const response = await fetch(url(path));
      const body = (await response.json()) as { readonly request_id: string };
      expect(response.status).toBe(404);
      expect(body).toMatchObject({ type: "error", error: { type: "not_found_error" } });
      expect(response.headers.get("request-id")).toBe(body.request_id);
    },
  );

  test.each(["/", "/nothing", "/v1x", "/docs/assets/", "/docs/assets/package.json"])(
    "%s is answered as a problem",
    async (path) => {
      const response = await fetch(url(path));
      expect([response.status, response.headers.get("content-type")]).toEqual([
        404,
        "application/problem+json",
      ]);
    },
  );

  const METHODS: [string, string, string][] = [
    ["GET", "/v1/messages", "POST"],
    ["POST", "/v1/models/some-model", "GET, HEAD"],
    ["DELETE", "/health/live", "GET, HEAD"],
    ["PUT", "/admin/users/1", "DELETE, GET, HEAD, PATCH"],
    ["OPTIONS", "/admin/users", "GET, HEAD, POST"],
  ];
  test.each(METHODS)("%s %s is told which methods there are", async (method, path, allow) => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const response = await fetch(url(path), { method, headers });
    expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
    const type = path.startsWith("/v1") ? "application/json" : "application/problem+json";
    expect(response.headers.get("content-type")).toBe(type);
  });

  test("a malformed Host header never is our failure", async () => {
    const hosts = ["a b", "", "x", "[::1", "%", "http://x/", "x".repeat(300)];
    const targets = [
      "/health/live",
      "/v1/nothing",
      "/v1/messages",
      "/admin/users?limit=1",
      "/docs/",
      "//x",
      "/%zz",
    ];
    for (const host of hosts) {
      for (const target of targets) {
        const status = await statusOf(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
        expect([host, target, status >= 200 && status < 500]).toEqual([host, target, true]);
      }
    }
  });
});

test("a body beyond the server's own limit is ours to refuse, not the server's", async () => {
  for (const path of ["/v1/messages", "/admin/users"]) {
    expect(await statusOf(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 200000000\r\n\r\n`)).toBe(401);
  }
});

/** The status that raw bytes are answered with; 0 when the connection is closed without one. */
async function statusOf(head: string): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  let answer = "";
  const socket = connect(port, "127.0.0.1", () => socket.write(head));
  socket.on("data", (bytes) => {
    answer += bytes.toString("latin1");
    const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1];
    if (status !== undefined) resolve(Number(status));
  });
  socket.on("close", () => resolve(0));
  socket.on("error", () => resolve(0));
  return await promise.finally(() => socket.destroy());
}

function byteByByte(): Response {
  const bytes = new TextEncoder().encode(TEXT);
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      await new Promise((resolve) => setImmediate(resolve));
      controller.enqueue(bytes.slice(at, ++at));
      if (at === bytes.length) controller.close();
    },
  });
  const headers = { "content-type": "text/event-stream", "x-upstream": "kept" };
  return new Response(body, { status: 203, headers });
}

function endless(onCancel: () => void): Response {
  return new Response(
    new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await Bun.sleep(1);
        controller.enqueue(new Uint8Array(1_000));
      },
      cancel: onCancel,
    }),
  );
}
