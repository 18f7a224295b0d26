import { expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { startSimulator } from "#simulator/simulator.ts";
import { createTenant, startGatewayProcess, usageOf } from "#support/gateway.ts";

const CREDENTIAL = "canary-credential-7f3a9c51e0";
const ADMIN_TOKEN = "canary-admin-token-5b1d88aa42";

function filesUnder(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return entries.map((name) => join(folder, name)).filter((path) => statSync(path).isFile());
}

/** Every way in which a secret has been seen to leak from gateways: logs, errors, answers, the database. */
test("no credential, admin token or API key shows up anywhere once it has been given", async () => {
  const simulator = await startSimulator();
  const gateway = await startGatewayProcess({ ADMIN_TOKEN, LOG_LEVEL: "debug" });
  try {
    const tenant = await createTenant(gateway, {
      upstreamUrl: simulator.url,
      accounts: [{ credentials: { api_key: CREDENTIAL } }],
    });
    const secrets = [CREDENTIAL, ADMIN_TOKEN, tenant.key];
    const answers: string[] = [];
    const ask = async (path: string, init: RequestInit): Promise<void> => {
      const answer = await fetch(`${gateway.url}${path}`, init);
      answers.push(JSON.stringify([...answer.headers]), await answer.text());
    };
    const plans = [
      {},
      { status: 400, error_message: `bad key ${CREDENTIAL}` },
      { status: 401, error_message: `invalid x-api-key ${CREDENTIAL}` },
      { status: 500, error_body: `<html>${CREDENTIAL}</html>` },
      { fault: { kind: "reset_before_headers" } },
    ];
    for (const plan of plans) {
      const body = {
        model: "claude-sonnet-4-6",
        max_tokens: 1,
        messages: [{ role: "user", content: "x" }],
        simulator: plan,
      };
      await ask("/v1/messages", {
        method: "POST",
        headers: { "x-api-key": tenant.key },
        body: JSON.stringify(body),
      });
    }
    await ask("/v1/messages", { method: "POST", headers: { "x-api-key": `${tenant.key}x` }, body: "{}" });
    await ask(`/v1/messages?key=${tenant.key}`, { method: "POST", body: "{}" });
    const admin = { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } };
    for (const path of [
      "accounts",
      `accounts/${tenant.accountIds[0]}`,
      "api-keys",
      `api-keys/${tenant.keyId}`,
      "usage",
      "users",
    ]) {
      await ask(`/admin/${path}`, admin);
    }
    await ask("/admin/accounts", {
      ...admin,
      method: "POST",
      body: `{"credentials":{"api_key":"${CREDENTIAL}"}}`,
    });
    await ask("/admin/accounts", { headers: { authorization: `Bearer ${ADMIN_TOKEN}x` } });
    for (const path of ["/metrics", "/docs/json", "/health/ready"]) await ask(path, {});
    await usageOf(gateway, tenant.userId);
    expect(await gateway.stop()).toBe(0);
    const shown = `${answers.join("\n")}\n${gateway.output()}`;
    expect(secrets.filter((secret) => shown.includes(secret))).toEqual([]);
    const stored = filesUnder(gateway.dataDir).map((path) => readFileSync(path));
    expect(stored.length).toBeGreaterThan(10);
    expect(secrets.filter((secret) => stored.some((bytes) => bytes.includes(secret)))).toEqual([]);
  } finally {
    await gateway.dispose();
    await simulator.stop();
  }
}, 60_000);
