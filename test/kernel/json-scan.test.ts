import { expect, test } from "bun:test";
import { findField, splice, TooDeep } from "#kernel/json-scan.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const shown = (text: string, name = "model"): string | undefined => {
  const range = findField(bytes(text), name, 100);
  return range && new TextDecoder().decode(bytes(text).subarray(range.start, range.end));
};

test("the top-level field is found wherever it stands, and no other one", () => {
  expect(shown('{"model":"a"}')).toBe('"a"');
  expect(shown(' {\n "x" : {"model":"nested"} ,\t"model" : "a" } ')).toBe('"a"');
  expect(shown('{"messages":[{"model":"nested"},"model",":"],"model":"a","z":1}')).toBe('"a"');
  expect(shown('{"x":"\\"model\\":\\"fake\\"","model":"a\\\\"}')).toBe('"a\\\\"');
  expect(shown('{"x":"model","y":{"model":1}}')).toBeUndefined();
  expect(shown('{"model":{"a":[1,2]},"x":1}')).toBe('{"a":[1,2]}');
  expect(shown('{"model":12.5e3}')).toBe("12.5e3");
});

test("of duplicate keys the last one counts, however it is written", () => {
  expect(shown('{"model":"a","model":"b"}')).toBe('"b"');
  expect(shown('{"model":"a","\\u006dodel":"b"}')).toBe('"b"');
});

test("nesting is bounded before anything is built", () => {
  const deep = "[".repeat(101);
  expect(() => findField(bytes(deep), "model", 100)).toThrow(TooDeep);
  expect(() => findField(bytes(`{"x":${"[{".repeat(60)}`), "model", 100)).toThrow(TooDeep);
});

test("a megabyte of messages before the field changes nothing", () => {
  const text = JSON.stringify({ messages: ['{"model":"no"}'.repeat(80_000)], model: "yes" });
  expect(shown(text)).toBe('"yes"');
});

/** A random object with tricky strings; its `model` must be found where `JSON.parse` finds it. */
test("what is found is what JSON.parse reads, for random objects in random layouts", () => {
  for (let seed = 0; seed < 20_000; seed++) {
    const text = randomObject(new Shuffle(seed));
    const expected = (JSON.parse(text) as { model?: unknown }).model;
    const found = shown(text);
    expect({ seed, model: found === undefined ? undefined : JSON.parse(found) }).toEqual({
      seed,
      model: expected,
    });
  }
});

test("a splice replaces exactly the range", () => {
  const text = bytes('{"a":1, "model" : "old", "b":"é"}');
  const range = findField(text, "model", 10);
  if (range === undefined) throw new Error("not found");
  const spliced = new TextDecoder().decode(splice(text, range, bytes('"a longer name"')));
  expect(spliced).toBe('{"a":1, "model" : "a longer name", "b":"é"}');
});

const STRINGS = ["model", '"', "\\", "\\\\", '\\"', "{", "}", "[", ",", ":", "世🎉", '"model":"x"', ""];

function randomObject(shuffle: Shuffle): string {
  const space = (): string => ["", " ", "\n\t", ""][shuffle.below(4)] ?? "";
  const string = (): string => JSON.stringify(STRINGS[shuffle.below(STRINGS.length)]);
  const value = (depth: number): string => {
    const kind = shuffle.below(depth > 3 ? 3 : 5);
    if (kind === 0) return string();
    if (kind === 1) return String(shuffle.below(1_000));
    if (kind === 2) return "null";
    const items = Array.from({ length: shuffle.below(4) }, () =>
      kind === 3 ? value(depth + 1) : pair(depth + 1),
    );
    return kind === 3 ? `[${items.join(",")}]` : `{${items.join(`${space()},`)}}`;
  };
  const key = (): string => (shuffle.below(3) === 0 ? '"model"' : string());
  const pair = (depth: number): string => `${space()}${key()}${space()}:${space()}${value(depth)}${space()}`;
  return `${space()}{${Array.from({ length: shuffle.below(6) }, () => pair(1)).join(",")}${space()}}${space()}`;
}
