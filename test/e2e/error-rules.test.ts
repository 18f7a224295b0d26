import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { Tenant } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;
const rules: number[] = [];

beforeAll(async () => {
  stage = await openStage();
}, 60_000);
afterEach(async () => {
  for (const id of rules.splice(0)) await stage.gateway.admin("DELETE", `/error-rules/${id}`);
});
afterAll(() => stage.close());

async function rule(fields: Record<string, unknown>): Promise<number> {
  const name = `rule ${Bun.randomUUIDv7()}`;
  const { id } = await stage.gateway.admin<{ id: number }>("POST", "/error-rules", { name, ...fields });
  rules.push(id);
  return id;
}

/** A tenant of one account, whose upstream refuses everything. */
async function refusedWith(status: number, message: string): Promise<Tenant> {
  const tenant = await stage.tenant([{}]);
  const plan = { status, error_message: message };
  stage.simulator.plan(plan, { apiKey: tenant.upstreamKeys[0], repeat: true });
  return tenant;
}

async function answerTo(tenant: Tenant): Promise<readonly [number, string, string]> {
  const answer = await stage.ask(tenant.key);
  const body = (await answer.json()) as { error: { type: string; message: string }; request_id: string };
  return [answer.status, body.error.type, body.error.message];
}

test("a rule maps the status and replaces the message of what fits it, and of nothing else", async () => {
  await rule({
    platforms: ["anthropic"],
    statuses: [400],
    keywords: ["Prompt is too LONG"],
    match: "all",
    response_status: 413,
    message: "This conversation has grown too long",
  });
  const fitting = await refusedWith(400, "prompt is too long: 2 > 1");
  expect(await answerTo(fitting)).toEqual([413, "request_too_large", "This conversation has grown too long"]);
  const other = await refusedWith(400, "messages: Field required");
  expect(await answerTo(other)).toEqual([400, "invalid_request_error", "messages: Field required"]);
  const elsewhere = await refusedWith(404, "prompt is too long: 2 > 1");
  expect(await answerTo(elsewhere)).toEqual([404, "not_found_error", "prompt is too long: 2 > 1"]);
});

test("a rule passes the upstream's own status and message on where it names none", async () => {
  const tenant = await refusedWith(403, "your plan does not include this");
  const [usual] = await answerTo(tenant);
  expect(usual).toBe(502);
  await stage.gateway.admin("POST", `/accounts/${tenant.accountIds[0]}/recover`);
  await rule({ statuses: [403] });
  expect(await answerTo(tenant)).toEqual([403, "permission_error", "your plan does not include this"]);
});

test("a rule for another platform, and one that is not enabled, change nothing", async () => {
  await rule({ platforms: ["gemini"], statuses: [400], message: "Not this one" });
  await rule({ enabled: false, statuses: [400], message: "Nor this one" });
  expect((await answerTo(await refusedWith(400, "as it is")))[2]).toBe("as it is");
});

test("the first rule that fits decides, and the next one does when it is gone", async () => {
  await rule({ keywords: ["quota of the demo"], priority: 20, message: "The second" });
  const first = await rule({ keywords: ["quota of the demo"], priority: 10, message: "The first" });
  const tenant = await refusedWith(400, "The quota of the demo is used up");
  expect((await answerTo(tenant))[2]).toBe("The first");
  await stage.gateway.admin("PATCH", `/error-rules/${first}`, { priority: 30 });
  expect((await answerTo(tenant))[2]).toBe("The second");
  await stage.gateway.admin("PATCH", `/error-rules/${first}`, { priority: 10, keywords: ["other words"] });
  expect((await answerTo(tenant))[2]).toBe("The second");
});

test("a rule is about what clients see: another account is still tried first", async () => {
  await rule({ statuses: [502], message: "Never seen" });
  const tenant = await stage.tenant([{ priority: 1 }, { priority: 2 }]);
  stage.simulator.plan({ status: 502 }, { apiKey: tenant.upstreamKeys[0], repeat: true });
  expect((await stage.ask(tenant.key)).status).toBe(200);
});

test("what a rule says is expected is not counted as a fault", async () => {
  const faults = async (): Promise<number> => {
    const metrics = await (await fetch(`${stage.gateway.url}/metrics`)).text();
    return Number(/sluice_faults_total\{code="upstream.rejected"\} (\d+)/.exec(metrics)?.[1] ?? 0);
  };
  const tenant = await refusedWith(400, "an expected refusal");
  const before = await faults();
  await answerTo(tenant);
  expect(await faults()).toBe(before + 1);
  await rule({ keywords: ["an expected refusal"], skip_monitoring: true });
  expect((await answerTo(tenant))[2]).toBe("an expected refusal");
  expect(await faults()).toBe(before + 1);
});
