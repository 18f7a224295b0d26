import { expect, test } from "bun:test";
import { eventually } from "#support/gateway.ts";
import type { ChangeNotice } from "#threads/messages.ts";
import { ChangeWatch } from "../../src/change-watch.ts";

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A table of changes that a test writes to, as other nodes do. */
class Table {
  readonly rows: { id: number; kind: string; rowId: number }[] = [];
  append = async (kind: string, rowId: number): Promise<number> =>
    this.put((await this.latest()) + 1, kind, rowId);
  latest = async (): Promise<number> => Math.max(0, ...this.rows.map(({ id }) => id));
  after = async (id: number) => this.rows.filter((row) => row.id > id).sort((a, b) => a.id - b.id);
  forget = async (): Promise<void> => undefined;

  put(id: number, kind: string, rowId: number): number {
    this.rows.push({ id, kind, rowId });
    return id;
  }
}

test("what another node has changed without saying so is found, once, also when its number comes late", async () => {
  const table = new Table();
  table.put(1, "user", 7);
  const applied: ChangeNotice[] = [];
  const watch = new ChangeWatch({
    changes: table,
    apply: async (change) => void applied.push(change),
    log: SILENT,
  });
  await watch.start();
  table.put(2, "api-key", 8);
  table.put(4, "group", 9);
  await eventually(
    () => applied.length,
    (count) => count === 2,
    5_000,
  );
  await watch.record({ kind: "account", id: 5 });
  table.put(3, "user", 10);
  await eventually(
    () => applied.length,
    (count) => count === 3,
    5_000,
  );
  watch.stop();
  expect(applied).toEqual([
    { kind: "api-key", id: 8 },
    { kind: "group", id: 9 },
    { kind: "user", id: 10 },
  ]);
});
