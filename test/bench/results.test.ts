import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeDocument } from "../../bench/document.ts";
import { compareResults, loadResults, storeResults } from "../../bench/results.ts";
import { spreadOf, type Table } from "../../bench/table.ts";

const dir = mkdtempSync(join(tmpdir(), "bench-results-"));
afterAll(() => rmSync(dir, { recursive: true }));

const tableWith = (id: string, micros: number): Table => ({
  id,
  title: id,
  columns: [{ name: "CPU", unit: "µs", digits: 1 }],
  rows: [{ name: "small JSON", cells: [spreadOf([micros, micros + 1, micros - 1])] }],
  notes: [],
});
const resultsOf = (...tables: Table[]) => ({ machine: "2 cores", command: "bun bench", tables });

test("a second run replaces its own tables in the stored results and keeps the others", async () => {
  const path = join(dir, "results.json");
  await storeResults(path, resultsOf(tableWith("cost", 100), tableWith("memory", 5)));
  await storeResults(path, resultsOf(tableWith("cost", 80)));
  const { tables } = await loadResults(path);
  expect(tables.map(({ id, rows }) => [id, rows[0]?.cells[0]])).toEqual([
    ["memory", { median: 5, low: 4, high: 6 }],
    ["cost", { median: 80, low: 79, high: 81 }],
  ]);
});

test("a comparison shows by how much the medians differ", () => {
  const [change] = compareResults([tableWith("cost", 80), tableWith("new", 1)], [tableWith("cost", 100)]);
  expect(change?.rows).toEqual([{ name: "small JSON", cells: ["−20.0 %"] }]);
});

test("a document gets the tables between its markers, as often as it is written", async () => {
  const path = join(dir, "page.md");
  const page =
    "before\n<!-- bench:cost -->\nold\n<!-- /bench:cost -->\nafter\n<!-- bench:memory -->\nkept\n<!-- /bench:memory -->\n";
  await Bun.write(path, page);
  await writeDocument(path, resultsOf(tableWith("cost", 80)));
  await writeDocument(path, resultsOf(tableWith("cost", 80)));
  const written = await Bun.file(path).text();
  expect(written).toContain("| small JSON | 80.0 µs (79.0–81.0) |\n<!-- /bench:cost -->\nafter");
  expect(written).not.toContain("old");
  expect(written).toContain("kept");
});
