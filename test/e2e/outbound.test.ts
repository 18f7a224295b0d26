import { afterAll, beforeAll, expect, test } from "bun:test";
import { createTenant, startGatewayProcess, type TestGateway } from "#support/gateway.ts";

const SPELLINGS = [
  "http://127.0.0.1",
  "http://127.1",
  "http://2130706433",
  "http://0x7f000001",
  "http://0177.0.0.1",
  "http://127.0.0.1.",
  "http://%31%32%37.0.0.1",
  "http://１２７.0.0.1",
  "http://[::1]",
  "http://[::ffff:127.0.0.1]",
  "http://[::ffff:7f00:1]",
  "http://[0:0:0:0:0:0:0:1]",
  "http://localhost",
  "http://a.localhost",
  "http://10.0.0.1",
  "http://167772161",
  "http://0xa.0.0.1",
  "http://[::ffff:10.0.0.1]",
  "http://169.254.169.254/latest",
  "http://2852039166",
  "http://0xa9fea9fe",
  "http://[::ffff:a9fe:a9fe]",
  "http://192.168.1.1",
  "http://0.0.0.0",
  "http://[fd00:ec2::254]",
  "http://[fe80::1]",
];
const MALFORMED = [
  "ftp://example.com",
  "http://user:pw@example.com",
  "file:///etc/passwd",
  "example.com",
  "http://",
];

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayProcess({ ALLOW_PRIVATE_UPSTREAMS: "false", LOG_LEVEL: "error" });
}, 60_000);

afterAll(async () => await gateway.dispose());

for (const url of [...SPELLINGS, ...MALFORMED]) {
  test(`an account that leads to ${url} is refused when it is created`, async () => {
    const refused = createTenant(gateway, { upstreamUrl: url });
    await expect(refused).rejects.toThrow(/answered 4\d\d: .*base_url/);
  });
}

test("a public address is accepted", async () => {
  await createTenant(gateway, { upstreamUrl: "https://api.anthropic.com/proxy" });
});
