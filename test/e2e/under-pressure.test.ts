import { afterEach, expect, test } from "bun:test";
import { connect } from "node:net";
import { eventually } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;

afterEach(() => stage.close());

test("usage is asked for and answered up to date while requests keep coming", async () => {
  stage = await openStage();
  const tenant = await stage.tenant([{}], { user: { balance_usd: "100" } });
  const plan = { usage: { input_tokens: 1_000, output_tokens: 0 } };
  stage.simulator.plan(plan, { apiKey: tenant.upstreamKeys[0], repeat: true });
  let isOver = false;
  let finished = 0;
  const client = async (): Promise<void> => {
    while (!isOver) {
      await (await stage.ask(tenant.key)).arrayBuffer();
      finished++;
    }
  };
  const clients = Array.from({ length: 16 }, client);
  await eventually(
    () => finished,
    (count) => count > 50,
  );
  const looks: (readonly [ms: number, missing: number])[] = [];
  for (let look = 0; look < 5; look++) {
    const known = finished;
    const askedAt = performance.now();
    await stage.gateway.admin("GET", `/usage?user_id=${tenant.userId}&limit=1`);
    const user = await stage.gateway.admin<{ balance_usd: string }>("GET", `/users/${tenant.userId}`);
    // 1,000 input tokens at 3 USD per million.
    const booked = Math.round((100 - Number(user.balance_usd)) / 0.003);
    looks.push([performance.now() - askedAt, Math.max(0, known - booked)]);
  }
  isOver = true;
  await Promise.all(clients);
  for (const [ms, missing] of looks) {
    expect(ms).toBeLessThan(2_000);
    expect(missing).toBe(0);
  }
}, 30_000);

test("a second signal to stop does not break off what the first one lets finish", async () => {
  stage = await openStage();
  const tenant = await stage.tenant([{}]);
  const plan = { events: 15, event_interval_ms: 50 };
  stage.simulator.plan(plan, { apiKey: tenant.upstreamKeys[0] });
  const answer = await stage.ask(tenant.key, { stream: true });
  const stopped = stage.gateway.stop();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await Bun.sleep(50);
    process.kill(stage.gateway.pid, signal);
  }
  expect(await answer.text()).toEndWith('{"type":"message_stop"}\n\n');
  expect(await stopped).toBe(0);
}, 30_000);

test("an upload that is declared too large and then stalls is refused in time, and its connection closed", async () => {
  stage = await openStage({ BODY_READ_TIMEOUT_SECONDS: "1", MAX_BODY_BYTES: "1024" });
  const tenant = await stage.tenant([{}]);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let text = "";
  const socket = connect(Number(new URL(stage.gateway.url).port), "127.0.0.1", () => {
    const head = ["POST /v1/messages HTTP/1.1", "Host: x", `x-api-key: ${tenant.key}`];
    socket.write(`${[...head, "Content-Length: 5000"].join("\r\n")}\r\n\r\n${" ".repeat(2_000)}`);
  });
  socket.on("data", (bytes) => {
    text += bytes.toString();
  });
  socket.on("close", () => resolve());
  socket.on("error", () => resolve());
  const startedAt = performance.now();
  try {
    await eventually(
      () => text,
      (received) => received.includes("request_too_large"),
      4_000,
    );
    expect(text).toStartWith("HTTP/1.1 413 ");
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    await Promise.race([closed, Bun.sleep(4_000).then(() => Promise.reject(new Error("still open")))]);
  } finally {
    socket.destroy();
  }
}, 30_000);
