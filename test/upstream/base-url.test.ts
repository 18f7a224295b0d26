import { expect, test } from "bun:test";
import { openUpstream } from "#upstream/send.ts";
import { FORBIDDEN_SPELLINGS } from "./spellings.ts";

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "api.example.com": ["93.184.215.14", "2606:2800:21f:cb07::1"],
  "inside.example.com": ["10.0.0.5"],
  "half.example.com": ["93.184.215.14", "::ffff:127.0.0.1"],
  "metadata.example.com": ["169.254.169.254"],
  "metadata6.example.com": ["fd00:ec2::254"],
  redis: ["172.18.0.2"],
};

const open = (allowPrivate: boolean, trustedOrigins: readonly string[] = []) =>
  openUpstream({
    allowPrivate,
    trustedOrigins,
    lookup: async (name) => NAMES[name] ?? Promise.reject(new Error("no such name")),
  });
const strict = open(false);

test.each(FORBIDDEN_SPELLINGS)("%s is refused when an account is created", async (spelling) => {
  for (const text of [spelling, `${spelling}:8443/v1/`, spelling.replace("http:", "HTTPS:")]) {
    expect(await strict.checkBaseUrl(text)).toMatchObject({ ok: false });
  }
});

test.each([
  "http://localhost",
  "http://LOCALHOST.:8080",
  "http://ⓛocalhost",
  "http://api.localhost",
  "http://metadata.google.internal",
  "http://printer.local",
  "http://box.home.arpa",
])("%s is refused by its name alone", async (text) => {
  expect(await strict.checkBaseUrl(text)).toMatchObject({ ok: false });
});

test.each([
  "https://inside.example.com",
  "https://half.example.com",
  "https://metadata.example.com",
  "https://metadata6.example.com.",
  "http://redis:6379",
])("%s is refused because one of its addresses is forbidden", async (text) => {
  expect(await strict.checkBaseUrl(text)).toMatchObject({
    ok: false,
    reason: expect.stringContaining("resolves to"),
  });
});

test.each([
  ["", "must begin with"],
  ["api.example.com", "must begin with"],
  ["ftp://api.example.com", "must begin with"],
  ["file:///etc/passwd", "must begin with"],
  ["https:api.example.com", "must begin with"],
  ["https:///api.example.com", "must begin with"],
  ["https://", "must begin with"],
  ["https://user@api.example.com", "credentials"],
  ["https://user:pass@api.example.com", "credentials"],
  ["https://@api.example.com", "credentials"],
  ["https://api.example.com/?", "query"],
  ["https://api.example.com/v1?a=b", "query"],
  ["https://api.example.com/#", "fragment"],
  [" https://api.example.com", "spaces"],
  ["https://api.exa\tmple.com", "spaces"],
  ["https://api.example.com\\@10.0.0.1", "backslashes"],
  ["https://api.example.com:99999", "valid URL"],
  ["https://256.1.1.1", "valid URL"],
  ["https://[::1", "valid URL"],
  [`https://api.example.com/${"a".repeat(2_048)}`, "longer than"],
])("%p is not a base URL", async (text, reason) => {
  expect(await strict.checkBaseUrl(text)).toMatchObject({
    ok: false,
    reason: expect.stringContaining(reason),
  });
});

test.each([
  ["https://api.example.com", "https://api.example.com"],
  ["https://api.example.com/", "https://api.example.com"],
  ["HTTPS://API.example.com:443//", "https://api.example.com"],
  ["https://api.example.com/anthropic/", "https://api.example.com/anthropic"],
  ["http://api.example.com:8080/a/../b", "http://api.example.com:8080/b"],
  ["https://api.example.com/user@home", "https://api.example.com/user@home"],
  ["https://1.1.1.1", "https://1.1.1.1"],
  ["https://[2606:4700::1111]:8443/v1", "https://[2606:4700::1111]:8443/v1"],
  ["https://not-yet-registered.example.com", "https://not-yet-registered.example.com"],
])("%s is accepted as %s", async (text, url) => {
  expect(await strict.checkBaseUrl(text)).toEqual({ ok: true, url });
});

test("allowing private upstreams accepts one's own networks but never a metadata service", async () => {
  const lenient = open(true);
  for (const text of [
    "http://localhost:11434",
    "http://127.0.0.1",
    "http://[::1]",
    "http://redis",
    "http://10.0.0.5",
  ]) {
    expect(await lenient.checkBaseUrl(text)).toEqual({ ok: true, url: text });
  }
  for (const text of [
    "http://169.254.169.254",
    "http://2852039166",
    "http://[fd00:ec2::254]",
    "http://metadata.example.com",
  ]) {
    expect(await lenient.checkBaseUrl(text)).toMatchObject({ ok: false });
  }
});

test("only the exact trusted origin is exempt", async () => {
  const upstream = open(false, ["http://127.0.0.1:4000"]);
  expect(await upstream.checkBaseUrl("http://127.0.0.1:4000/demo/")).toEqual({
    ok: true,
    url: "http://127.0.0.1:4000/demo",
  });
  for (const text of ["http://127.0.0.1:4001", "https://127.0.0.1:4000", "http://127.0.0.2:4000"]) {
    expect(await upstream.checkBaseUrl(text)).toMatchObject({ ok: false });
  }
});
