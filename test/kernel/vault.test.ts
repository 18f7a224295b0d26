import { expect, test } from "bun:test";
import { Secret } from "#kernel/secret.ts";
import { Vault } from "#kernel/vault.ts";

const key = (fill: number): string => Buffer.alloc(32, fill).toString("base64");
const vault = new Vault(key(1));

test("a sealed text opens only in its own place", () => {
  const sealed = vault.seal("credential", "accounts:1");
  expect(sealed).not.toContain("credential");
  expect(vault.open(sealed, "accounts:1")).toBe("credential");
  expect(() => vault.open(sealed, "accounts:2")).toThrow();
});

test("a changed text does not open", () => {
  const sealed = vault.seal("credential", "accounts:1");
  const changed = sealed.slice(0, -2) + (sealed.endsWith("AA") ? "BB" : "AA");
  expect(() => vault.open(changed, "accounts:1")).toThrow();
});

test("a text sealed with another key says so", () => {
  const sealed = new Vault(key(2)).seal("credential", "accounts:1");
  expect(() => vault.open(sealed, "accounts:1")).toThrow("another encryption key");
});

test("the same text is sealed differently every time", () => {
  expect(vault.seal("x", "accounts:1")).not.toBe(vault.seal("x", "accounts:1"));
});

test("a key's hash depends on the master key", () => {
  expect(vault.hashApiKey("sk-1")).toBe(new Vault(key(1)).hashApiKey("sk-1"));
  expect(vault.hashApiKey("sk-1")).not.toBe(new Vault(key(2)).hashApiKey("sk-1"));
});

test("a secret shows itself in no text, JSON or inspection", () => {
  const secret = new Secret("hunter2");
  const shown = [`${secret}`, JSON.stringify({ secret }), Bun.inspect({ secret }), String(secret)].join();
  expect(shown).not.toContain("hunter2");
  expect(secret.reveal()).toBe("hunter2");
});
