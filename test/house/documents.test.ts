import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dir, "../..");
const paths = ["README.md", ...new Bun.Glob("docs/**/*.md").scanSync(root)];
const documents = await Promise.all(
  paths.map(async (path) => ({ path, text: await Bun.file(join(root, path)).text() })),
);

test("no document holds both sides of a merge", () => {
  const torn = documents.filter(({ text }) => /^(<{7}|={7}|>{7})( |$)/m.test(text));
  expect(torn.map(({ path }) => path)).toEqual([]);
});

test("a document's links lead to files that are there", () => {
  const dead = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  expect(dead).toEqual([]);
});
