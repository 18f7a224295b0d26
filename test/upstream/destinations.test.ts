import { expect, test } from "bun:test";
import { Destinations } from "../../src/upstream/destinations.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const HOSTS = ["api.anthropic.com", "api.anthropic.com.", "[::1]", "10.1.2.3", "xn--bcher-kva.example"];
const PORTS = ["", ":443", ":80", ":8443"];
const PATHS = ["", "/v1/messages", "/a/../v1/messages", "/v1/messages?beta=true", "/v1/messages?q=%2F#part"];
const PORT_OF: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };
const ADDRESSES = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];

/** Many more URLs than are kept, some of them again and again, and too long ones among them. */
test("whatever was read before, a URL leads to where it says, at the address that is asked for", () => {
  const destinations = new Destinations();
  const shuffle = new Shuffle(11);
  const one = <T>(of: readonly T[]): T => of[shuffle.below(of.length)] as T;
  for (let step = 0; step < 20_000; step++) {
    const tail = shuffle.below(3) === 0 ? `/${"x".repeat(shuffle.below(700))}${shuffle.below(3_000)}` : "";
    const text = `${one(["http", "https"])}://${one(HOSTS)}${one(PORTS)}${tail}${tail === "" ? one(PATHS) : ""}`;
    const url = new URL(text);
    const destination = destinations.of(text);
    if (destination === undefined) throw new Error(`${text} was not read`);
    expect(destination.origin).toBe(url.origin);
    expect(destination.host).toBe(url.host);
    expect(destination.isTls).toBe(url.protocol === "https:");
    const address = one(ADDRESSES);
    const target = destination.at(address);
    const port = url.port === "" ? (PORT_OF[url.protocol] ?? 0) : Number(url.port);
    expect([target.address, target.port, target.path]).toEqual([
      address,
      port,
      `${url.pathname}${url.search}`,
    ]);
    expect([target.isTls, target.host]).toEqual([url.protocol === "https:", url.host]);
    expect(target.key).toContain(`${address} ${port}`);
  }
});

test.each(["", "no url", "/v1/messages", "ftp://host/", "file:///etc/passwd", "https://"])(
  "%p leads nowhere",
  (text) => expect(new Destinations().of(text)).toBeUndefined(),
);

test("so many URLs are kept and no more, the oldest leaving first, and long ones not at all", () => {
  const destinations = new Destinations();
  const url = (at: number): string => `https://host/?q=${at}`;
  const oldest = destinations.of(url(0));
  expect(destinations.of(url(0))).toBe(oldest);
  for (let at = 1; at < 1_024; at++) destinations.of(url(at));
  expect(destinations.of(url(0))).toBe(oldest);
  destinations.of(url(1_024));
  expect(destinations.of(url(0))).not.toBe(oldest);
  const long = `https://host/?q=${"x".repeat(600)}`;
  expect(destinations.of(long)).not.toBe(destinations.of(long));
});
