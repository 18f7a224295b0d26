import { expect, test } from "bun:test";
import { loadConfig } from "#config/config.ts";
import { readRedisUrl } from "#config/redis-url.ts";

const DATABASE_URL = "postgres://db/sluice";

test("Redis is one server, one that sentinels know of, or a cluster", () => {
  expect(readRedisUrl("redis://cache")).toEqual({ kind: "single", host: "cache", port: 6379, options: {} });
  expect(readRedisUrl("rediss://me:p%40ss@[::1]:7000/3")).toEqual({
    kind: "single",
    host: "::1",
    port: 7000,
    options: { username: "me", password: "p@ss", db: 3, tls: {} },
  });
  expect(readRedisUrl("redis+sentinel://:secret@a,b:27000/main/2")).toEqual({
    kind: "sentinel",
    sentinels: [
      { host: "a", port: 26379 },
      { host: "b", port: 27000 },
    ],
    primary: "main",
    options: { password: "secret", db: 2 },
  });
  expect(readRedisUrl("rediss+cluster://a:7000,b")).toMatchObject({
    kind: "cluster",
    seeds: [
      { host: "a", port: 7000 },
      { host: "b", port: 6379 },
    ],
  });
});

test("a URL that is none, or has parts that its form has not, stops the start without showing the password", () => {
  const wrong = [
    "http://cache",
    "redis://",
    "redis://a,b",
    "redis://me:sekrit@cache/x",
    "redis+sentinel://:sekrit@a",
    "redis+cluster://a/1",
  ];
  for (const REDIS_URL of wrong) {
    expect(() => loadConfig({ REDIS_URL, DATABASE_URL })).toThrow(/REDIS_URL(?!.*sekrit)/);
  }
});

test("several nodes need a database that all of them reach", () => {
  expect(() => loadConfig({ REDIS_URL: "redis://cache" })).toThrow(/REDIS_URL needs DATABASE_URL/);
  expect(loadConfig({ REDIS_URL: "redis://cache", DATABASE_URL }).redis).toMatchObject({ host: "cache" });
  expect(() => loadConfig({ REDIS_NAMESPACE: "a:b" })).toThrow(/REDIS_NAMESPACE/);
});
