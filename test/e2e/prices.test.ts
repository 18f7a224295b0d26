import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually, usageOf } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({});
}, 60_000);
afterAll(() => stage.close());

test("a model that nothing has a price for is refused before any upstream call, with the settings that would give one", async () => {
  const tenant = await stage.tenant([{}]);
  const answer = await stage.ask(tenant.key, { body: { model: "made-up-model" } });
  const { error } = (await answer.json()) as { error: { type: string; message: string } };
  expect([answer.status, error.type]).toEqual([400, "invalid_request_error"]);
  expect(error.message).toContain("made-up-model");
  expect(error.message).toContain("unknown_model_price");
  expect(stage.attemptsOf(tenant.upstreamKeys[0] ?? "")).toEqual([]);
});

test("a name that only a mapping knows has the price of the model it stands for", async () => {
  const tenant = await stage.tenant([{ model_mapping: { "our-model": "claude-sonnet-4-6" } }]);
  const answer = await stage.ask(tenant.key, { body: { model: "our-model" } });
  await answer.text();
  expect(answer.status).toBe(200);
  const [row] = await eventually(
    () => usageOf(stage.gateway, tenant.userId),
    (rows) => rows.length > 0,
  );
  expect(Number(row?.cost_usd)).toBeGreaterThan(0);
});

test("a price that an operator sets holds for the next request", async () => {
  const tenant = await stage.tenant([{}]);
  const price = { model: "priced-model", input_usd_per_mtok: "1000000", output_usd_per_mtok: "0" };
  await stage.set({ model_prices: [price] });
  const answer = await stage.ask(tenant.key, { body: { model: "priced-model" } });
  await answer.text();
  const [row] = await eventually(
    () => usageOf(stage.gateway, tenant.userId),
    (rows) => rows.length > 0,
  );
  expect(Number(row?.cost_usd)).toBe(row?.input_tokens as number);
});
