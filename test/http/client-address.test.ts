import { expect, test } from "bun:test";
import { readAddressSet } from "#config/cidr.ts";
import type { HeaderRecord } from "#kernel/headers.ts";
import { clientAddress } from "../../src/http/client-address.ts";

const trusted = readAddressSet(["10.0.0.0/8", "::1"]);
const forwarded = (value: string): HeaderRecord => ({ "x-forwarded-for": value });

test("forwarded headers of strangers are not believed", () => {
  expect(clientAddress("203.0.113.9", forwarded("1.2.3.4"), trusted)).toBe("203.0.113.9");
  expect(clientAddress("10.0.0.1", forwarded("1.2.3.4"), readAddressSet([]))).toBe("10.0.0.1");
});

test("a trusted proxy's nearest stranger is the client, whatever it claims before that", () => {
  expect(clientAddress("10.0.0.1", forwarded("6.6.6.6, 1.2.3.4, 10.9.9.9"), trusted)).toBe("1.2.3.4");
  expect(clientAddress("::ffff:10.0.0.1", forwarded("1.2.3.4"), trusted)).toBe("1.2.3.4");
});

test("a proxy that says nothing leaves its own address", () => {
  expect(clientAddress("10.0.0.1", {}, trusted)).toBe("10.0.0.1");
});

test("address sets know both families, ranges and mapped addresses, and refuse nonsense", () => {
  const set = readAddressSet(["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]);
  expect(["192.0.2.77", "::ffff:192.0.2.77", "2001:db8::1", "198.51.100.7"].map(set.has)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(["192.0.3.1", "2001:db9::1", "198.51.100.8", "nonsense"].map(set.has)).toEqual([
    false,
    false,
    false,
    false,
  ]);
  for (const bad of ["300.1.1.1", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/8/8", "x", "::1/129"]) {
    expect(() => readAddressSet([bad])).toThrow();
  }
});
