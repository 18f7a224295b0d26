import { expect, test } from "bun:test";
import { FLOORS, PACKAGE_OWNERS, THREAD_ENTRIES, WINGS } from "./floors.ts";
import { readSourceFiles } from "./source-files.ts";

const files = await readSourceFiles("src", "workers", "drizzle", "bench");
const floorOf = (room: string): number => FLOORS.findIndex((rooms) => rooms.includes(room));
const roomOf = (path: string): string => path.split("/")[1] ?? "";

test("every room stands on a floor", () => {
  const rooms = new Set(
    files.filter(({ path }) => /^src\/[^/]+\//.test(path)).map(({ path }) => roomOf(path)),
  );
  expect([...rooms].filter((room) => floorOf(room) === -1)).toEqual([]);
});

test("rooms only use lower floors", () => {
  const wrong = files
    .filter(({ path }) => floorOf(roomOf(path)) !== -1)
    .flatMap(({ path, imports }) =>
      imports
        .filter((specifier) => specifier.startsWith("#"))
        .map((specifier) => specifier.slice(1).split("/")[0] ?? "")
        .filter((room) => room !== roomOf(path) && floorOf(room) >= floorOf(roomOf(path)))
        .map((room) => `${path} reaches up or across to ${room}`),
    );
  expect(wrong).toEqual([]);
});

test("wings do not know of each other", () => {
  const wrong = WINGS.flatMap((wing) =>
    files.flatMap(({ path, imports }) => {
      const own = path.match(new RegExp(`^src/${wing}/([^/]+)/`))?.[1];
      if (own === undefined) return [];
      return imports
        .map((specifier) => specifier.match(new RegExp(`^#${wing}/([^/]+)/`))?.[1])
        .filter((other) => other !== undefined && other !== own)
        .map((other) => `${path} knows of ${other}`);
    }),
  );
  expect(wrong).toEqual([]);
});

test("each package has one owner", () => {
  const wrong = files.flatMap(({ path, imports }) =>
    Object.entries(PACKAGE_OWNERS)
      .filter(([name]) => imports.some((specifier) => specifier === name || specifier.startsWith(`${name}/`)))
      .filter(([, owners]) => !owners.some((owner) => path.startsWith(owner)))
      .map(([name]) => `${path} imports ${name}`),
  );
  expect(wrong).toEqual([]);
});

test("workers/ holds thin thread entries only", () => {
  const wrong = files
    .filter(({ path }) => path.startsWith("workers/"))
    .flatMap(({ path, text, imports }) => [
      ...(text.split("\n").length > 40 ? [`${path} is longer than 40 lines`] : []),
      ...imports
        .filter((specifier) => specifier !== THREAD_ENTRIES[path])
        .map((specifier) => `${path} loads ${specifier}`),
    ]);
  expect(wrong).toEqual([]);
});
