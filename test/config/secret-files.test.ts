import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadOrCreateSecret } from "#config/secret-files.ts";

test("a secret is made once, whole and readable by its owner only; an empty file is never taken for one", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-secrets-"));
  const first = loadOrCreateSecret(folder, "admin.token", "hex");
  const again = loadOrCreateSecret(folder, "admin.token", "hex");
  expect([first.isNew, again.isNew, again.value]).toEqual([true, false, first.value]);
  expect(statSync(join(folder, "admin.token")).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["admin.token"]);
  writeFileSync(join(folder, "empty"), "");
  expect(() => loadOrCreateSecret(folder, "empty", "hex")).toThrow("holds no secret");
  rmSync(folder, { recursive: true });
});
