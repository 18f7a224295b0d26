import { expect, jest, test } from "bun:test";
import type { Clock } from "#kernel/clock.ts";
import { createAddressPolicy } from "#upstream/address-policy.ts";
import {
  ANSWER_MS_MAX,
  FAILURE_MS_MAX,
  LOOKUP_MS_MAX,
  LOOKUPS_AT_ONCE_MAX,
  NAMES_KEPT_MAX,
  Resolver,
  STALE_MS_MAX,
} from "#upstream/resolver.ts";
import { UnsentFault } from "#upstream/unsent-fault.ts";
import { thrownBy } from "./requests.ts";

type Answers = readonly string[] | Error;

function openResolver(first: Answers) {
  let nowMs = 1_000;
  const clock: Clock = { now: () => nowMs, monotonic: () => nowMs };
  const state = { answers: first, lookups: 0 };
  const lookup = async () => {
    state.lookups++;
    if (state.answers instanceof Error) throw state.answers;
    return state.answers;
  };
  const resolver = new Resolver({ lookup, policy: createAddressPolicy({ allowPrivate: false }), clock });
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { resolver, state, pass };
}

test("asks once per name and lifetime, however many ask at once", async () => {
  const { resolver, state, pass } = openResolver(["1.1.1.1"]);
  expect(resolver.cached("a.example")).toBeUndefined();
  const answers = await Promise.all(Array.from({ length: 50 }, () => resolver.resolve("a.example")));
  expect(new Set(answers.flat())).toEqual(new Set(["1.1.1.1"]));
  pass(ANSWER_MS_MAX - 1);
  expect(resolver.cached("a.example")).toEqual(["1.1.1.1"]);
  await resolver.resolve("a.example");
  expect(state.lookups).toBe(1);
  pass(1);
  expect(resolver.cached("a.example")).toBeUndefined();
  await resolver.resolve("a.example");
  expect(state.lookups).toBe(2);
});

test("refuses a name as soon as one of its addresses is forbidden, and says which", async () => {
  const { resolver } = openResolver(["1.1.1.1", "2606:4700::1111", "10.0.0.1"]);
  const thrown = await thrownBy(resolver.resolve("a.example"));
  expect(thrown).toBeInstanceOf(UnsentFault);
  expect(thrown).toMatchObject({
    code: "upstream.forbidden_address",
    message: expect.stringContaining("10.0.0.1"),
  });
});

test("an address literal is judged without a lookup", async () => {
  const { resolver, state } = openResolver(new Error("not asked"));
  expect(await resolver.resolve("2606:4700::1111")).toEqual(["2606:4700::1111"]);
  expect(await thrownBy(resolver.resolve("::1"))).toMatchObject({ code: "upstream.forbidden_address" });
  expect(state.lookups).toBe(0);
});

test("a name that changes to a forbidden address is refused when its answer has run out", async () => {
  const { resolver, state, pass } = openResolver(["1.1.1.1"]);
  await resolver.resolve("a.example");
  state.answers = ["127.0.0.1"];
  pass(ANSWER_MS_MAX);
  expect(await thrownBy(resolver.resolve("a.example"))).toMatchObject({ code: "upstream.forbidden_address" });
});

test("a failure is remembered for a short while only", async () => {
  const { resolver, state, pass } = openResolver(new Error("resolver down"));
  expect(await thrownBy(resolver.resolve("a.example"))).toMatchObject({ code: "upstream.connect_failed" });
  state.answers = ["1.1.1.1"];
  expect(() => resolver.cached("a.example")).toThrow(UnsentFault);
  expect(await thrownBy(resolver.resolve("a.example"))).toMatchObject({ code: "upstream.connect_failed" });
  expect(state.lookups).toBe(1);
  pass(FAILURE_MS_MAX);
  expect(await resolver.resolve("a.example")).toEqual(["1.1.1.1"]);
});

test("a name without addresses cannot be reached", async () => {
  const { resolver } = openResolver([]);
  expect(await thrownBy(resolver.resolve("a.example"))).toMatchObject({ code: "upstream.connect_failed" });
});

test("the last good answer stands in while lookups fail, but not for ever", async () => {
  const { resolver, state, pass } = openResolver(["1.1.1.1"]);
  await resolver.resolve("a.example");
  state.answers = new Error("resolver down");
  pass(ANSWER_MS_MAX);
  expect(await resolver.resolve("a.example")).toEqual(["1.1.1.1"]);
  pass(STALE_MS_MAX);
  expect(await thrownBy(resolver.resolve("a.example"))).toMatchObject({ code: "upstream.connect_failed" });
});

test("an address that failed moves behind the others, whoever reports it first", async () => {
  const { resolver } = openResolver(["1.1.1.1", "1.1.1.2", "1.1.1.3"]);
  await resolver.resolve("a.example");
  resolver.demote("a.example", "1.1.1.1");
  resolver.demote("a.example", "1.1.1.1");
  resolver.demote("unknown.example", "1.1.1.1");
  expect(resolver.cached("a.example")).toEqual(["1.1.1.2", "1.1.1.3", "1.1.1.1"]);
});

test("keeps a bounded number of names, the most recent ones", async () => {
  const { resolver } = openResolver(["1.1.1.1"]);
  for (let index = 0; index <= NAMES_KEPT_MAX; index++) await resolver.resolve(`n${index}.example`);
  expect(resolver.cached("n0.example")).toBeUndefined();
  expect(resolver.cached("n1.example")).toBeDefined();
  expect(resolver.cached(`n${NAMES_KEPT_MAX}.example`)).toBeDefined();
});

test("starts a bounded number of lookups at once", async () => {
  const answered = Promise.withResolvers<readonly string[]>();
  const resolver = new Resolver({
    lookup: () => answered.promise,
    policy: createAddressPolicy({ allowPrivate: false }),
    clock: { now: () => 0, monotonic: () => 0 },
  });
  const waiting = Array.from({ length: LOOKUPS_AT_ONCE_MAX }, (_, index) =>
    resolver.resolve(`n${index}.example`),
  );
  expect(await thrownBy(resolver.resolve("one-more.example"))).toMatchObject({
    code: "upstream.connect_failed",
  });
  answered.resolve(["1.1.1.1"]);
  await Promise.all(waiting);
  expect(await resolver.resolve("one-more.example")).toEqual(["1.1.1.1"]);
});

test("a lookup that never ends is given up", async () => {
  jest.useFakeTimers();
  try {
    const resolver = new Resolver({
      lookup: () => new Promise(() => {}),
      policy: createAddressPolicy({ allowPrivate: false }),
      clock: { now: () => 0, monotonic: () => 0 },
    });
    const thrown = thrownBy(resolver.resolve("a.example"));
    jest.advanceTimersByTime(LOOKUP_MS_MAX);
    expect(await thrown).toMatchObject({ code: "upstream.connect_failed" });
  } finally {
    jest.useRealTimers();
  }
});
