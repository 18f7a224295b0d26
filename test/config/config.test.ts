import { expect, test } from "bun:test";
import { BadConfig, loadConfig, SETTINGS } from "#config/config.ts";

test("with nothing set every setting has its documented default", () => {
  expect(loadConfig({})).toMatchObject({
    host: "127.0.0.1",
    port: 8787,
    databaseUrl: undefined,
    dataDir: "./data",
    bodyBytesMax: 33_554_432,
    allowPrivateUpstreams: false,
    billing: "on",
    shutdownGraceSeconds: 30,
  });
});

test("every bad value is named in one message", () => {
  const bad = {
    PORT: "eighty",
    HTTP_THREADS: "0",
    DATABASE_URL: "mysql://x",
    TRUSTED_PROXIES: "10.0.0.0/8,nonsense",
    ENCRYPTION_KEY: "short",
    ADMIN_TOKEN: "short",
    ALLOW_PRIVATE_UPSTREAMS: "perhaps",
    BILLING: "maybe",
    LOG_LEVEL: "loud",
    MAX_BODY_BYTES: "-1",
    STREAM_IDLE_SECONDS: "1e3",
  };
  const message = (() => {
    try {
      loadConfig(bad);
      return "";
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(BadConfig);
      return String(thrown);
    }
  })();
  for (const name of Object.keys(bad)) expect(message).toContain(name);
});

test("a secret value is never repeated in the message", () => {
  expect(() => loadConfig({ ADMIN_TOKEN: "sekrit" })).toThrow(/ADMIN_TOKEN(?!.*sekrit)/);
  expect(() => loadConfig({ DATABASE_URL: "http://user:sekrit@host/db" })).toThrow(
    /DATABASE_URL(?!.*sekrit)/,
  );
});

test("no two settings share a variable, and each says why it exists", () => {
  const variables = Object.values(SETTINGS).map(({ variable }) => variable);
  expect(new Set(variables).size).toBe(variables.length);
  for (const { why } of Object.values(SETTINGS)) expect(why).toEndWith(".");
});
