import { figureOf, showCell, type Table } from "./table.ts";

/** What a run has found, as it is stored. */
export interface Results {
  /** The machine in neutral words. */
  readonly machine: string;
  /** How the run was asked for. */
  readonly command: string;
  readonly tables: readonly Table[];
}

/** Reads stored results. @throws Error when there are none at that path. */
export async function loadResults(path: string): Promise<Results> {
  return (await Bun.file(path).json()) as Results;
}

/** Stores results; tables that the file holds already and this run has not made stay in it. */
export async function storeResults(path: string, fresh: Results): Promise<void> {
  const known = (await Bun.file(path).exists()) ? (await loadResults(path)).tables : [];
  const made = new Set(fresh.tables.map(({ id }) => id));
  const tables = [...known.filter(({ id }) => !made.has(id)), ...fresh.tables];
  await Bun.write(path, `${JSON.stringify({ ...fresh, tables }, undefined, 2)}\n`);
}

/** What has changed against results stored before: one table per table that both have. */
export function compareResults(fresh: readonly Table[], baseline: readonly Table[]): readonly Table[] {
  return fresh.flatMap((table) => {
    const before = baseline.find(({ id }) => id === table.id);
    if (before === undefined) return [];
    const rows = table.rows.flatMap(({ name, cells }) => {
      const old = before.rows.find((row) => row.name === name);
      if (old === undefined) return [];
      return [
        { name, cells: cells.map((cell, index) => changeOf(figureOf(cell), figureOf(old.cells[index]))) },
      ];
    });
    return [{ ...table, title: `Against the baseline: ${table.title}`, rows, notes: [] }];
  });
}

function changeOf(now: number | undefined, before: number | undefined): string | undefined {
  if (now === undefined || before === undefined || before === 0) return undefined;
  const percent = (now / before - 1) * 100;
  return `${percent < 0 ? "−" : "+"}${showCell(Math.abs(percent), { name: "", unit: "%", digits: 1 })}`;
}
