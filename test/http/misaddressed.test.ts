import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { openStorage } from "#storage/storage.ts";
import { appOver, type TestApp } from "./harness.ts";

let t: TestApp;
let port: number;

beforeAll(() => {
  t = appOver(openStorage("postgres://127.0.0.1:1/none", { connectionsMax: 1 }));
  t.app.listen({ port: 0, hostname: "127.0.0.1", reusePort: false });
  port = t.app.server?.port ?? 0;
});
afterAll(async () => {
  await t.app.server?.stop(true);
  await t.close();
});

/** The whole answer to a request with exactly this host, as text. */
async function answerTo(host: string, target: string, method = "GET"): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(port, "127.0.0.1", () => {
    socket.write(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
  socket.on("data", (bytes) => {
    answer += bytes.toString("latin1");
  });
  socket.on("close", () => resolve(answer));
  socket.on("error", () => resolve(answer));
  return await promise;
}

const MALFORMED = [
  "",
  "a b",
  "x/admin",
  "x?y",
  "x#y",
  "u@x",
  "<x>",
  "http://x/",
  "x\\admin",
  "[::1",
  "x:port",
  "x:123456",
  "x\r\nHost: y",
];
const TARGETS = [
  ["/metrics", "application/problem+json"],
  ["/health/live", "application/problem+json"],
  ["/admin/users?limit=1", "application/problem+json"],
  ["/nothing/metrics", "application/problem+json"],
  ["/v1/abc/metrics", "application/json"],
  ["/v1/messages", "application/json"],
  ["/v1/models/some-model", "application/json"],
] as const;

test.each(MALFORMED)("the host %j is refused before any route runs, whatever the path", async (host) => {
  for (const [target, type] of TARGETS) {
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const answer = await answerTo(host, target, method);
      const what = [method, target];
      expect([what, answer.split("\r\n")[0]]).toEqual([what, "HTTP/1.1 400 Bad Request"]);
      expect([what, /^content-type: (\S+)/im.exec(answer)?.[1]]).toEqual([what, type]);
      expect(answer).not.toContain("sluice_requests_total");
    }
  }
});

test("a malformed host is refused in the words of the API that was asked", async () => {
  const body = async (target: string): Promise<unknown> =>
    JSON.parse((await answerTo("a b", target)).split("\r\n\r\n")[1] ?? "");
  expect(await body("/v1/abc/metrics")).toMatchObject({
    type: "error",
    error: { type: "invalid_request_error", message: expect.stringContaining("Host") },
    request_id: expect.stringMatching(/^req_/),
  });
  expect(await body("/metrics")).toMatchObject({ status: 400, instance: "/metrics" });
});

test.each(["localhost", "api.example.com:8443", "127.0.0.1", "[::1]:80", "my_gateway-1.internal", "x:"])(
  "the host %j is served",
  async (host) => {
    expect(await answerTo(host, "/metrics")).toContain("sluice_requests_total");
    expect(await answerTo(host, "/v1/abc/metrics")).toStartWith("HTTP/1.1 404 ");
    expect(await answerTo(host, "/v1/models")).toStartWith("HTTP/1.1 401 ");
  },
);
