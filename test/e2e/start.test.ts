import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTenant, startGatewayProcess } from "#support/gateway.ts";

const ROOT = join(import.meta.dir, "../..");

async function start(env: Record<string, string>): Promise<{ code: number; output: string }> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-start-"));
  const child = Bun.spawn([process.execPath, "src/main.ts"], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", DATA_DIR: dataDir, PORT: "0", ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  rmSync(dataDir, { recursive: true, force: true });
  return { code, output: out + err };
}

test("bad values stop the start with one message that names them all, and no stack trace", async () => {
  const bad = { PORT: "99999", HTTP_THREADS: "many", DATABASE_URL: "sqlite://x", BILLING: "sometimes" };
  const { code, output } = await start(bad);
  expect(code).toBe(1);
  for (const name of Object.keys(bad)) expect(output).toContain(name);
  expect(output).not.toMatch(/\n\s+at /);
});

test("a port that is taken stops the start with a sentence", async () => {
  using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { code, output } = await start({ PORT: String(server.port) });
  expect(code).toBe(1);
  expect(output).toContain(`127.0.0.1:${server.port}`);
  expect(output).not.toMatch(/\n\s+at /);
});

test("a database that cannot be reached stops the start with a sentence", async () => {
  const { code, output } = await start({ DATABASE_URL: "postgres://user:hunter2@127.0.0.1:1/none" });
  expect(code).toBe(1);
  expect(output).toContain("Sluice did not start");
  expect(output).not.toContain("hunter2");
  expect(output).not.toMatch(/\n\s+at /);
}, 30_000);

test("readiness is red when the accounts allow more requests at once than Bun does, and says what to set", async () => {
  const gateway = await startGatewayProcess({ BUN_CONFIG_MAX_HTTP_REQUESTS: "300" });
  try {
    const ready = async (): Promise<Response> => await fetch(`${gateway.url}/health/ready`);
    expect((await ready()).status).toBe(200);
    const accounts = [{ concurrency: 200 }, { concurrency: 200 }];
    await createTenant(gateway, { upstreamUrl: "http://127.0.0.1:1", accounts });
    const red = await ready();
    expect(red.status).toBe(503);
    expect(await red.text()).toContain("BUN_CONFIG_MAX_HTTP_REQUESTS");
  } finally {
    await gateway.dispose();
  }
}, 60_000);

test("the limit of upstream requests is raised without anybody setting it", async () => {
  const gateway = await startGatewayProcess();
  try {
    const environment = await Bun.file(`/proc/${gateway.pid}/environ`).text();
    expect(environment).toContain("BUN_CONFIG_MAX_HTTP_REQUESTS=65535");
  } finally {
    await gateway.dispose();
  }
}, 60_000);
