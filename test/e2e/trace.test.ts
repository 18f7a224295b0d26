import { afterAll, beforeAll, expect, test } from "bun:test";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
}, 60_000);
afterAll(() => stage.close());

interface Step {
  readonly step: string;
  readonly at_ms: number;
  readonly [field: string]: unknown;
}

interface Trace {
  readonly steps: readonly Step[];
  readonly [field: string]: unknown;
}

async function traceOf(answer: Response): Promise<Trace> {
  const requestId = answer.headers.get("x-sluice-request-id");
  return await stage.gateway.admin<Trace>("GET", `/requests/${requestId}/trace`);
}

test("a request's trace tells who could have served it, why others could not, and why it moved on", async () => {
  const tenant = await stage.tenant([
    { priority: 1 },
    { priority: 2 },
    { priority: 3, schedulable: false },
    { priority: 4, model_mapping: { "claude-opus-*": "claude-opus-4-5" } },
  ]);
  const [failing, good, paused, unfit] = tenant.accountIds as [number, number, number, number];
  stage.simulator.plan({ status: 529 }, { apiKey: tenant.upstreamKeys[0] });
  const answer = await stage.ask(tenant.key, { stream: true });
  await answer.text();
  expect(answer.status).toBe(200);
  expect(answer.headers.get("x-sluice-trace")).toBeNull();

  const trace = await traceOf(answer);
  expect(trace).toMatchObject({
    request_id: answer.headers.get("x-sluice-request-id"),
    model: "claude-sonnet-4-6",
    group_id: tenant.groupId,
    api_key_id: tenant.keyId,
    stream: true,
    client: null,
  });
  expect(trace.steps.map(({ step }) => step)).toEqual([
    "choice",
    "attempt",
    "fault",
    "choice",
    "attempt",
    "answer",
  ]);
  const [firstChoice, firstAttempt, fault, secondChoice, secondAttempt, end] = trace.steps;
  const others = [
    { account_id: paused, finding: "not_schedulable" },
    { account_id: unfit, finding: "model_unsupported" },
  ];
  expect(firstChoice).toMatchObject({ chosen: failing, by: "load" });
  expect(firstChoice?.["candidates"]).toEqual(
    expect.arrayContaining([
      { account_id: failing, finding: "chosen" },
      { account_id: good, finding: "eligible" },
      ...others,
    ]),
  );
  expect(firstAttempt).toMatchObject({ account_id: failing });
  expect(fault).toMatchObject({ account_id: failing, fault: "upstream.overloaded", status: 529 });
  expect(secondChoice).toMatchObject({ chosen: good });
  expect(secondChoice?.["candidates"]).toEqual(
    expect.arrayContaining([
      { account_id: failing, finding: "excluded" },
      { account_id: good, finding: "chosen" },
      ...others,
    ]),
  );
  expect(secondAttempt).toMatchObject({ account_id: good });
  expect(end).toMatchObject({ status: 200 });
  const times = trace.steps.map(({ at_ms }) => at_ms);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test("a refused request has a trace too, and one that nobody made has none", async () => {
  const tenant = await stage.tenant([{ schedulable: false }]);
  const answer = await stage.ask(tenant.key);
  expect(answer.status).toBe(503);
  const { steps } = await traceOf(answer);
  expect(steps.at(-1)).toMatchObject({ step: "refusal", fault: "select.no_account", status: 503 });
  const nobodys = new Response(null, { headers: { "x-sluice-request-id": "req_none" } });
  await expect(traceOf(nobodys)).rejects.toThrow("404");
});

test("a wait shows in the trace", async () => {
  const tenant = await stage.tenant([{}], { user: { concurrency: 1 } });
  stage.simulator.plan({ delay_ms: 150 }, { apiKey: tenant.upstreamKeys[0], repeat: true });
  const answers = await Promise.all([stage.ask(tenant.key), stage.ask(tenant.key)]);
  const steps = (await Promise.all(answers.map(traceOf))).flatMap((trace) => trace.steps);
  const waits = steps.filter(({ step }) => step === "queue");
  expect(waits).toHaveLength(1);
  expect(Number(waits[0]?.["waited_ms"])).toBeGreaterThan(50);
});

test("a key that asks for it gets a compact trace with each answer", async () => {
  const tenant = await stage.tenant([{ priority: 1 }, { priority: 2 }], { apiKey: { trace_header: true } });
  stage.simulator.plan({ status: 503 }, { apiKey: tenant.upstreamKeys[0], repeat: true });
  for (const stream of [false, true]) {
    const answer = await stage.ask(tenant.key, { stream, says: `Streamed: ${stream}` });
    await answer.text();
    const compact = answer.headers.get("x-sluice-trace") ?? "";
    expect(compact).toContain("fault:upstream.unavailable");
    expect(compact).toContain(`load:${tenant.accountIds[1]}/2`);
    expect(compact.length).toBeLessThan(500);
  }
});

test("nothing in a trace shows a credential", async () => {
  const tenant = await stage.tenant([{ priority: 1 }, { priority: 2 }], { apiKey: { trace_header: true } });
  const [credential = ""] = tenant.upstreamKeys;
  const words = `the key ${credential} is not known here`;
  stage.simulator.plan({ status: 401, error_message: words }, { apiKey: credential, repeat: true });
  const answer = await stage.ask(tenant.key);
  const shown = JSON.stringify([await traceOf(answer), [...answer.headers]]);
  for (const secret of [credential, tenant.key]) expect(shown).not.toContain(secret);
});
