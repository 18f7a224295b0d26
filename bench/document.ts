import type { Results } from "./results.ts";
import { asMarkdown } from "./table.ts";

/**
 * Writes results into a document: each table between `<!-- bench:ID -->` and `<!-- /bench:ID -->`, the machine
 * between the same with `machine`. Markers without a result keep what stands between them.
 */
export async function writeDocument(path: string, { machine, tables }: Results): Promise<void> {
  const texts = new Map([
    ["machine", `${machine}.`],
    ...tables.map((table) => [table.id, asMarkdown(table)] as const),
  ]);
  const before = await Bun.file(path).text();
  const after = before.replaceAll(
    /(<!-- bench:([\w-]+) -->\n)[\s\S]*?(<!-- \/bench:\2 -->)/g,
    (whole: string, opening: string, id: string, closing: string) => {
      const text = texts.get(id);
      return text === undefined ? whole : `${opening}${text}\n${closing}`;
    },
  );
  await Bun.write(path, after);
}
