import { expect, test } from "bun:test";
import { createAddressPolicy } from "#upstream/address-policy.ts";

const strict = createAddressPolicy({ allowPrivate: false });
const lenient = createAddressPolicy({ allowPrivate: true });

/** First and last address of every range of one's own networks. */
const PRIVATE = [
  ["0.0.0.0", "0.255.255.255"],
  ["10.0.0.0", "10.255.255.255"],
  ["100.64.0.0", "100.127.255.255"],
  ["127.0.0.0", "127.255.255.255"],
  ["172.16.0.0", "172.31.255.255"],
  ["192.168.0.0", "192.168.255.255"],
  ["198.18.0.0", "198.19.255.255"],
  ["::", "::1"],
  ["64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"],
  ["fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["::ffff:127.0.0.1", "::ffff:10.0.0.1"],
  ["64:ff9b::10.0.0.0", "64:ff9b::192.168.255.255"],
].flat();

/** First and last address of every range that is forbidden whatever the setting. */
const OFF_LIMITS = [
  ["100.100.100.200", "168.63.129.16"],
  ["169.254.0.0", "169.254.169.254", "169.254.255.255"],
  ["192.0.0.0", "192.0.0.192", "192.0.0.255"],
  ["192.0.2.0", "192.0.2.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255"],
  ["192.88.99.0", "192.88.99.255"],
  ["224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255"],
  ["::2", "::7f00:1", "::8.8.8.8", "::ffff:0:7f00:1", "1fff::1"],
  ["::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b::224.0.0.1"],
  ["2001::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::1"],
  ["2002:a00:1::", "2002:7f00:1::1", "2002:808:808::1"],
  ["4000::", "5f00::1", "fe80::1", "febf:ffff::1", "fec0::1", "ff02::1", "ffff::1"],
  ["fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"],
].flat();

const PUBLIC = [
  ["1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"],
  ["126.255.255.255", "128.0.0.0", "160.79.104.10", "168.63.129.15", "168.63.129.17", "169.253.255.255"],
  ["169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0"],
  ["198.17.255.255", "198.20.0.0", "223.255.255.255"],
  ["2001:200::", "2001:4860:4860::8888", "2001:db7::1", "2001:db9::1", "2607:6bc0::10", "2a00:1450::1"],
  ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
].flat();

const NOT_ADDRESSES = [
  "",
  "localhost",
  "127.1",
  "0x7f.1",
  "1.2.3.4.",
  "[::1]",
  "fe80::1%eth0",
  "2600::1%1",
  " 8.8.8.8",
];

test.each(PRIVATE)("%s is reachable only when private upstreams are allowed", (address) => {
  expect(strict.refusalOf(address)).toContain(address);
  expect(lenient.refusalOf(address)).toBeUndefined();
});

test.each(OFF_LIMITS)("%s is never reachable", (address) => {
  expect(strict.refusalOf(address)).toContain(address);
  expect(lenient.refusalOf(address)).toContain(address);
});

test.each(PUBLIC)("%s is public", (address) => {
  expect(strict.refusalOf(address)).toBeUndefined();
  expect(lenient.refusalOf(address)).toBeUndefined();
});

test.each(NOT_ADDRESSES)("%p is refused because it is not a plain address", (text) => {
  expect(strict.refusalOf(text)).toContain("not an IP address");
  expect(lenient.refusalOf(text)).toContain("not an IP address");
});
