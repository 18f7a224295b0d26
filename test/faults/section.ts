import { join } from "node:path";
import type { Verdict } from "./scenario.ts";

/** A fault that is not an upstream's, as far as its place in the scorecard goes. */
export interface ListedFault {
  readonly name: string;
  /** The best there is, where it is less than `pass`. */
  readonly best?: "safe";
}

/** How one of them went. */
export interface PlayedFault {
  readonly name: string;
  readonly verdict: Verdict;
  /** What was wrong; empty unless it failed. */
  readonly why: string;
}

/** Whether everything is played, however long it takes: `FAULTS=full`, as `bun run faults` does. */
export function isFull(): boolean {
  return process.env["FAULTS"] === "full";
}

/** Plays one; what it throws is why it failed. */
export async function playFault(
  { name, best = "pass" as const }: { readonly name: string; readonly best?: "pass" | "safe" },
  run: () => Promise<void>,
): Promise<PlayedFault> {
  try {
    await run();
    return { name, verdict: best, why: "" };
  } catch (thrown) {
    return { name, verdict: "fail", why: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

/** A section of the scorecard's page. */
export function renderSection(title: string, played: readonly PlayedFault[]): string {
  const count = (wanted: Verdict): number => played.filter(({ verdict }) => verdict === wanted).length;
  const head = `| ${title} | Sluice |\n| --- | --- |`;
  const tally = `${count("pass")} pass, ${count("safe")} safe, ${count("fail")} fail.`;
  return `\n## ${title}\n\n${head}\n${played.map(rowOf).join("\n")}\n\n${tally}\n`;
}

/** One line of such a section. */
export function rowOf({ name, verdict }: PlayedFault): string {
  return `| ${name} | ${verdict} |`;
}

/** The page as it is published. */
export async function publishedPage(): Promise<string> {
  return await Bun.file(PAGE).text();
}

/** Where the page stands. */
export const PAGE: string = join(import.meta.dir, "../../docs/faults.md");
