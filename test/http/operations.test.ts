import { afterAll, beforeAll, expect, test } from "bun:test";
import { openStorage } from "#storage/storage.ts";
import { appOver, type TestApp } from "./harness.ts";

let t: TestApp;
beforeAll(() => {
  t = appOver(openStorage("postgres://127.0.0.1:1/none", { connectionsMax: 1 }));
});
afterAll(async () => await t?.close());

test("live answers whatever the surroundings are like", async () => {
  t.world.problems = new Error("down");
  expect(await t.request("GET", "/health/live")).toMatchObject({ status: 200, json: { status: "ok" } });
  expect((await t.request("HEAD", "/health/live")).status).toBe(200);
});

test("ready is red with the problems while there are any, and when they cannot be found out", async () => {
  t.world.problems = [];
  expect(await t.request("GET", "/health/ready")).toMatchObject({ status: 200, json: { status: "ready" } });
  t.world.problems = ["the database does not answer"];
  expect(await t.request("GET", "/health/ready")).toMatchObject({
    status: 503,
    json: { status: "unavailable", problems: ["the database does not answer"] },
  });
  t.world.problems = new Error("secret detail");
  const failed = await t.request("GET", "/health/ready");
  expect([failed.status, failed.json.problems.length]).toEqual([503, 1]);
  expect(failed.text).not.toContain("secret");
});

test("metrics come in the form that Prometheus reads", async () => {
  const { status, headers, text } = await t.request("GET", "/metrics");
  expect([status, headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  expect(text).toBe("sluice_requests_total 1\n");
});
