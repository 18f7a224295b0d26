import { expect, test } from "bun:test";
import { FAULTS } from "#kernel/fault-codes.ts";
import { readSourceFiles } from "./source-files.ts";

const files = await readSourceFiles("src", "workers");
const tests = await readSourceFiles("test");

/** Calls that reach the world, and the only files that may make them. */
const WORLD: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\b(?:process|Bun)\.env\b/, ["src/main.ts"]],
  [/\bMath\.random\(/, ["src/kernel/random.ts"]],
  [/\bDate\.now\(|new Date\(\)/, ["src/kernel/clock.ts"]],
  [/(?<![.\w])fetch\(/, ["src/upstream/send.ts"]],
];

const VAGUE = /(?:^|\/)(?:utils?|helpers?|common|misc|types|manager|service)\.ts$/;

test("only the named files reach the world", () => {
  const wrong = WORLD.flatMap(([call, owners]) =>
    files.filter(({ path, text }) => call.test(text) && !owners.some((owner) => path.startsWith(owner))),
  );
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test("file names say what is inside", () => {
  expect(files.map(({ path }) => path).filter((path) => VAGUE.test(path))).toEqual([]);
});

test("every export is documented", () => {
  const bare = files
    .filter(({ path }) => !path.includes("/schema/") && !path.endsWith(".d.ts"))
    .flatMap(({ path, text }) =>
      [
        ...text.matchAll(
          /(?<!\*\/\n(?:\/\/ biome-ignore[^\n]*\n)?)^export (?:async )?(?:function|class|interface) (\w+)/gm,
        ),
      ].map((match) => `${path}: ${match[1]}`),
    );
  expect(bare).toEqual([]);
});

test("every fault is raised somewhere", () => {
  const text = files
    .filter(({ path }) => !path.endsWith("fault-codes.ts"))
    .map((file) => file.text)
    .join("\n");
  expect(Object.keys(FAULTS).filter((code) => !text.includes(`"${code}"`))).toEqual([]);
});

test("every provider folder has the same shape", () => {
  const parts = ["provider.ts", "request.ts", "reply.ts", "faults.ts"];
  const names = new Set(
    files
      .map(({ path }) => path.match(/^src\/providers\/([^/]+)\//)?.[1])
      .filter((name) => name !== undefined),
  );
  const missing = [...names].flatMap((name) =>
    parts
      .map((part) => `src/providers/${name}/${part}`)
      .filter((path) => !files.some((file) => file.path === path)),
  );
  expect(missing).toEqual([]);
});

test("every Lua script says what it takes and returns", async () => {
  const scripts = [...new Bun.Glob("src/coordination/redis/scripts/**/*.lua").scanSync(".")];
  const texts = await Promise.all(scripts.map((path) => Bun.file(path).text()));
  const bare = scripts.filter(
    (_, index) => !/^--\[\[[\s\S]*KEYS\[1\][\s\S]*Returns [\s\S]*\]\]/.test(texts[index] ?? ""),
  );
  expect(bare).toEqual([]);
});

test("no test is written against time that passes", () => {
  const sleepers = tests.filter(
    ({ path, text }) => !path.includes("/house/") && /sleep\((?:[1-9]\d{3,})\)/.test(text),
  );
  expect(sleepers.map(({ path }) => path)).toEqual([]);
});
