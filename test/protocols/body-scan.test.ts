import { expect, test } from "bun:test";
import { Fault } from "#kernel/fault.ts";
import { modelRangeIn } from "#protocols/anthropic/body-parts.ts";
import { readMessages } from "#protocols/anthropic/read-messages.ts";
import type { SessionSeed } from "#protocols/call-facts.ts";
import { compileScanner, SCANNER_BINARY } from "#support/scanner-binary.ts";
import { Shuffle } from "../coordination/shuffle.ts";
import { referenceVerdict, type Verdict } from "./body-reference.ts";
import { BodyWriter } from "./random-bodies.ts";

const CASES = 200_000;
/** The scanner takes a body in pieces of this size, in bytes. */
const CHUNK = 65_536;
/** Bodies below this size are read by their trees as well, in bytes. */
const SMALL = 400;
const SEED: SessionSeed = { apiKeyId: 1, clientAddress: "a", userAgent: "test/1.0", sessionId: undefined };
const SEEDS = [SEED, SEED, SEED, { ...SEED, userAgent: "claude-cli/2.1.0" }, { ...SEED, sessionId: "s" }];
const encoder = new TextEncoder();
const bytes = (text: string): Uint8Array => encoder.encode(text);

/** By the scanner unless the body is to be read by its tree. */
function verdict(body: Uint8Array, seed: SessionSeed, treeBytesMax = 0): Verdict {
  try {
    const { modelRange, ...facts } = readMessages(body, seed, treeBytesMax);
    const { start, end } = modelRange ?? modelRangeIn(body);
    const modelText: unknown = JSON.parse(Buffer.from(body.subarray(start, end)).toString());
    return { ...facts, modelText };
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    return thrown.code === "parse.field_invalid" ? `${thrown.code}: ${thrown.publicMessage}` : thrown.code;
  }
}

/** Reads a body in every way and answers whether it is accepted. */
function agree(body: Uint8Array, about: object, seed = SEED): boolean {
  const wanted = referenceVerdict(body, seed);
  for (const treeBytesMax of body.length < SMALL ? [0, SMALL] : [0]) {
    const read = verdict(body, seed, treeBytesMax);
    if (Bun.deepEquals(read, wanted)) continue;
    const shown = Buffer.from(body.subarray(0, 2_000)).toString();
    expect({ ...about, shown, read }).toEqual({ ...about, shown, read: wanted });
  }
  return typeof wanted !== "string";
}

const SCRAPS = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "0",
  "-",
  ".",
  "e",
  "\n",
  "\u0001",
  "é",
  "\\u",
  "true",
];

/** Changes a few bytes: what is changed, left out, put in or broken off is left to chance. */
function mutate(body: Uint8Array, shuffle: Shuffle): Uint8Array {
  const at = shuffle.below(body.length + 1);
  const edit = shuffle.below(5);
  if (edit === 0) {
    const flipped = body.slice();
    if (at < body.length) flipped[at] = shuffle.below(256);
    return flipped;
  }
  if (edit === 1) return body.slice(0, at);
  if (edit === 2) return Buffer.concat([body.subarray(0, at), body.subarray(at + 1 + shuffle.below(6))]);
  const garbage = Uint8Array.from({ length: 1 + shuffle.below(4) }, () => 0x80 + shuffle.below(128));
  const put = edit === 3 ? bytes(SCRAPS[shuffle.below(SCRAPS.length)] ?? "") : garbage;
  return Buffer.concat([body.subarray(0, at), put, body.subarray(at)]);
}

test("the committed binary is what its source compiles to", async () => {
  const compiled = await compileScanner();
  expect(Buffer.compare(compiled, await Bun.file(SCANNER_BINARY).bytes())).toBe(0);
}, 30_000);

test(`${CASES} bodies, written at random and spoilt at random, are read as by the platform's parser`, () => {
  const start = Number(process.env["SCAN_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const shuffle = new Shuffle(start);
  const writer = new BodyWriter(shuffle);
  let accepted = 0;
  for (let run = 0; run < CASES; ) {
    const body = bytes(writer.body());
    for (let changes = 0; changes < 4; changes++, run++) {
      const seed = SEEDS[shuffle.below(SEEDS.length)] ?? SEED;
      if (agree(changes === 0 ? body : mutate(body, shuffle), { SCAN_SEED: start, run }, seed)) accepted++;
    }
  }
  expect(accepted).toBeGreaterThan(CASES / 4);
  expect(accepted).toBeLessThan((CASES * 9) / 10);
}, 120_000);

test("a body broken off at any place is read as by the platform's parser", () => {
  const shuffle = new Shuffle(11);
  const writer = new BodyWriter(shuffle);
  for (let run = 0; run < 20; run++) {
    const body = bytes(writer.body());
    for (let length = 0; length <= body.length; length++) agree(body.subarray(0, length), { run, length });
  }
});

test("whatever stands where one piece ends and the next begins is read as one", () => {
  const shuffle = new Shuffle(Number(process.env["SCAN_SEED"] ?? 12));
  const writer = new BodyWriter(shuffle);
  const opening = bytes('{"padding":"');
  for (let run = 0; run < 6; run++) {
    const body = bytes(writer.body().trim().replace("{", '",'));
    for (let at = 0; at < body.length; at += 1 + shuffle.below(2)) {
      const padding = new Uint8Array(CHUNK - at - opening.length).fill(0x78);
      const whole = Buffer.concat([opening, padding, body]);
      agree(shuffle.below(3) === 0 ? mutate(whole, shuffle) : whole, { run, at });
    }
  }
}, 30_000);

test("long texts in any script, and with escapes that cross from piece to piece, are read as one", () => {
  for (const unit of ['é"', "世界", "🎉\n", "\ud83c", "\ud83c\udf89\\", "plain ", "\u0001"]) {
    for (let shift = 0; shift < 14; shift++) {
      const content = `${"x".repeat(shift)}${unit.repeat(40_000)}`;
      const plain = JSON.stringify({ model: "m", messages: [{ role: "user", content }] });
      agree(bytes(plain), { unit, shift });
      const escaped = plain.replaceAll(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`);
      agree(bytes(escaped), { unit, shift });
      agree(bytes(escaped.replace("content", "x").replace("[{", '[{"content":[{"text":"\\ud83c"}],')), {
        unit,
      });
    }
  }
}, 30_000);

test("escapes, quotes and backslashes count the same at every place of a block", () => {
  const units = [
    "\\",
    '\\"',
    "\\\\",
    "\\n",
    "\\u0041",
    "\\ud83c\\udf89",
    "\\ud83c",
    "\\u00",
    "\\x",
    "\u0001",
    "\t",
  ];
  for (const unit of [...units, '"', "é", "\u007f"]) {
    for (let before = 0; before < 40; before++) {
      for (let times = 1; times < 20; times++) {
        const text = `{"model":"m","messages":[{"role":"user","content":"${"x".repeat(before)}${unit.repeat(times)}"}]}`;
        agree(bytes(text), { unit, before, times });
        agree(bytes(`${text.slice(0, -4)}Warmup"}]}`), { unit, before, times });
      }
    }
  }
});

test("every string of up to two bytes, and of three that are no ASCII, is accepted or refused alike", () => {
  const opening = bytes('{"model":"m","system":"');
  const body = Buffer.concat([opening, new Uint8Array(3), bytes('"}')]);
  for (let pair = 0; pair < 65_536; pair++) {
    body[opening.length] = pair >> 8;
    body[opening.length + 1] = pair & 0xff;
    for (const third of [0x20, 0x80 + (pair % 0x40), 0xbf]) {
      body[opening.length + 2] = third;
      agree(body, { pair, third });
    }
  }
}, 60_000);

test.each([
  "",
  " ",
  "\ufeff{}",
  '\ufeff{"model":"m"}',
  "{}",
  "[]",
  "null",
  "1",
  '"m"',
  "-",
  "01",
  "tru",
  "nul",
  "truee",
  '{"model":"m"}x',
  '{"model":"m"} \n\t\r',
  '{"model":"m",}',
  '{,"model":"m"}',
  '{"model" "m"}',
  '{"model":}',
  '{"model":"m"]',
  '["model":"m"}',
  '{model:"m"}',
  "{'model':'m'}",
  '{"model":"m"}{}',
  '{"model":"m"}\u00a0',
  '{"model":"m"}\u000b',
  '{"model":"m","x":[1,]}',
  '{"model":"m","x":[,1]}',
  '{"model":"m","x":+1}',
  '{"model":"m","x":.5}',
  '{"model":"m","x":5.}',
  '{"model":"m","x":1e}',
  '{"model":"m","x":1e+}',
  '{"model":"m","x":-}',
  '{"model":"m","x":-01}',
  '{"model":"m","x":0x1}',
  '{"model":"m","x":NaN}',
  '{"model":"m","x":1.0E-05}',
  '{"model":"m","__proto__":{"stream":1}}',
  '{"\\u006dodel":"\\u006d"}',
])("%j is read as by the platform's parser", (text) => {
  agree(bytes(text), { text });
});

test("a number of any length, a key of any length and any number of blocks are read as one", () => {
  for (const length of [CHUNK - 20, CHUNK, 3 * CHUNK]) {
    const padding = "1".repeat(length);
    for (const number of [
      padding,
      `-${padding}.5`,
      `0.${padding}`,
      `1e${padding}`,
      `1.${padding}e`,
      `0${padding}`,
    ]) {
      agree(bytes(`{"x":${number},"model":"m"}`), { length });
    }
    agree(bytes(`{"${padding}":1,"model":"m","${padding}":[]}`), { length });
    agree(bytes(`{"model":"m"${" ".repeat(length)}}`), { length });
  }
  const block = '{"type":"text","text":"a"}';
  for (const count of [255, 256, 257, 511, 512, 5_000]) {
    const blocks = `[${Array.from({ length: count }, () => block).join()}]`;
    agree(bytes(`{"model":"m","system":${blocks},"messages":[{"role":"user","content":${blocks}}]}`), {
      count,
    });
    const twice = `{"role":"user","content":${blocks},"content":[${block}]}`;
    agree(bytes(`{"model":"m","messages":[${twice}]}`), { count });
  }
});

test("nesting is refused at the same depth, in a text that is no JSON as well", () => {
  for (const depth of [254, 255, 256, 257, 300]) {
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"],
      ['[{"a":', "}]"],
    ] as const) {
      const nest = open.repeat(depth / (close.length === 2 ? 2 : 1));
      const end = close.repeat(depth / (close.length === 2 ? 2 : 1));
      for (const inner of ["", "1", "x"]) {
        agree(bytes(`{"model":"m","x":${nest}${inner}${end}}`), { depth, open });
        agree(bytes(`{"model" "m","x":${nest}${inner}${end}}`), { depth, open });
        agree(bytes(`${nest}${inner}${end}`), { depth, open });
      }
    }
  }
});
