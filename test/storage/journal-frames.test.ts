import { expect, test } from "bun:test";
import { framesOf, scanFrames } from "#storage/journal/frame.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const AT_MS = 1_800_000_000_000;
const LINES = [
  '{"request_id":"first","model":"claude"}',
  "{}",
  '{"model":"möglich 模型 🌊","text":"\\n\\u0000"}',
  `{"long":"${"x".repeat(300)}"}`,
  '{"looks":"0a1b2c3d 0000002 1800000000000 {}"}',
  '{"last":1}',
];

/** Frames one after the other, and where each begins. */
function journalOf(lines: readonly string[]): { bytes: Buffer; starts: number[]; ends: number[] } {
  const frames = lines.map((line, index) => Buffer.from(framesOf([line], AT_MS + index)));
  const ends: number[] = [];
  for (const { length } of frames) ends.push((ends.at(-1) ?? 0) + length);
  return { bytes: Buffer.concat(frames), starts: [0, ...ends.slice(0, -1)], ends };
}

const scanAll = (bytes: Buffer) => scanFrames(bytes, 0, Number.POSITIVE_INFINITY);

test("lines are read as they were written, with the time of the first, from anywhere and as many as wanted", () => {
  const { bytes, starts, ends } = journalOf(LINES);
  expect(scanAll(bytes)).toEqual({
    lines: LINES,
    firstAtMs: AT_MS,
    end: bytes.length,
    damagedBytes: 0,
    tornBytes: 0,
  });
  const some = scanFrames(bytes, starts[1] ?? 0, 3);
  expect([some.lines, some.firstAtMs, some.end]).toEqual([LINES.slice(1, 4), AT_MS + 1, ends[3]]);
});

test("a file that ends at any byte gives every line that is whole, and nothing else", () => {
  const { bytes, ends } = journalOf(LINES);
  for (let size = 0; size <= bytes.length; size++) {
    const { lines, damagedBytes, tornBytes, end } = scanAll(bytes.subarray(0, size));
    // The line feed alone may be missing from a whole line.
    const whole = LINES.filter((_, index) => (ends[index] ?? 0) - 1 <= size);
    const rest = size - Math.min(size, ends[whole.length - 1] ?? 0);
    expect([lines, damagedBytes, tornBytes, end]).toEqual([whole, 0, rest, size]);
  }
});

test("whichever byte changes, and to whatever, only the line it belongs to can be lost, and none is invented", () => {
  const { bytes, ends } = journalOf(LINES);
  const shuffle = new Shuffle(11);
  for (let at = 0; at < bytes.length; at++) {
    const values = [0x0a, 0x00, 0x20, 0x30, (bytes[at] ?? 0) ^ (1 << shuffle.below(8)), shuffle.below(256)];
    for (const value of values.filter((candidate) => candidate !== bytes[at])) {
      const changed = Buffer.from(bytes);
      changed[at] = value;
      const hit = ends.findIndex((end) => at < end);
      const { lines, damagedBytes, tornBytes } = scanAll(changed);
      const others = LINES.filter((_, index) => index !== hit);
      if (lines.length === LINES.length) expect(lines).toEqual(LINES);
      else expect(lines).toEqual(others);
      expect(damagedBytes + tornBytes).toBeGreaterThan(0);
    }
  }
});

test("whatever stands between whole lines is skipped and counted", () => {
  const shuffle = new Shuffle(12);
  for (let round = 0; round < 2_000; round++) {
    const noise = Buffer.from(Array.from({ length: 1 + shuffle.below(80) }, () => shuffle.below(256)));
    const first = Buffer.from(framesOf(["{1}"], AT_MS));
    const second = Buffer.from(framesOf(["{2}"], AT_MS));
    const { lines, damagedBytes } = scanAll(Buffer.concat([first, noise, Buffer.from("\n"), second]));
    expect(lines).toEqual(["{1}", "{2}"]);
    expect(damagedBytes).toBe(noise.length + 1);
  }
});

test("zeros that a lost power leaves at the end are an unfinished line, and between lines harm none", () => {
  const { bytes } = journalOf(LINES);
  const zeros = Buffer.alloc(4_096);
  const ended = scanAll(Buffer.concat([bytes, zeros]));
  expect([ended.lines, ended.damagedBytes, ended.tornBytes]).toEqual([LINES, 0, zeros.length]);
  const between = scanAll(Buffer.concat([bytes, zeros, bytes]));
  expect([between.lines, between.damagedBytes]).toEqual([[...LINES, ...LINES], zeros.length]);
});

test("an empty line is a trial and no record", () => {
  const { bytes } = journalOf(["{1}", "", "{2}"]);
  expect(scanAll(bytes).lines).toEqual(["{1}", "{2}"]);
});

test("a line with control characters is none, since they are what a reader finds the next frame by", () => {
  for (const line of ["{\n}", "{\u0000}"]) expect(() => framesOf([line], AT_MS)).toThrow(RangeError);
});
