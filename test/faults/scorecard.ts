import type { Report, Scenario } from "./scenario.ts";

/** What FailoverBench 0.1, run 2026-09-12, found of others, in its own signs: pass, partial, safe, fail. */
const PEERS: Readonly<Record<string, readonly [bifrost: string, litellm: string, portkey: string]>> = {
  S01: ["partial", "pass", "pass"],
  S02: ["pass", "pass", "pass"],
  S03: ["pass", "pass", "pass"],
  S04: ["pass", "pass", "pass"],
  S05: ["pass", "pass", "pass"],
  S06: ["fail", "partial", "pass"],
  S07: ["partial", "partial", "partial"],
  S08: ["safe", "safe", "fail"],
  S09: ["safe", "safe", "fail"],
  S10: ["pass", "safe", "pass"],
  S11: ["pass", "pass", "pass"],
  S12: ["pass", "pass", "pass"],
  S13: ["partial", "partial", "partial"],
  S14: ["safe", "safe", "fail"],
  S15: ["pass", "pass", "pass"],
  S16: ["pass", "pass", "pass"],
};

const INTRODUCTION = `# The wall of faults

Printed by \`bun run faults\`: a real gateway process, a simulated upstream that plays every fault, and a look at both sides. A short form of it is part of \`bun run check\`.

- **pass**: the best that could be had. The caller got a whole answer from another account, or the refusal that no account could have cured, as the upstream said it.
- **safe**: content had gone out already, or the process itself died, so an answer was not possible any more; the caller got an explicit error, or a connection that broke, and never anything that looks whole.
- **fail**: a hang, a truncated answer that looks whole, more attempts than the budget, or something left behind: a slot, a wait, a record that is not booked.

After each scenario the same key is served again, and nothing of it is in flight or waiting. The first sixteen are those of [FailoverBench](https://github.com/failoverbench/failoverbench) 0.1 in the dialect of the Messages API; the last three columns are what it published on 2026-09-12 of Bifrost 2.1.1, the LiteLLM proxy and the Portkey gateway, in the dialect of OpenAI. They were measured there with two retries of a provider and one fallback; Sluice moves on at once where another account can serve, so S01 and S03 ask the first one less often than that benchmark's own checks want.
`;

/** The scorecard as a page. */
export function renderScorecard(scenarios: readonly Scenario[], reports: readonly Report[]): string {
  const head = ["", "Fault", "Sluice, streamed", "Sluice, whole", "Bifrost", "LiteLLM", "Portkey"];
  const rows = scenarios.map((scenario) => scorecardRow(scenario, reports));
  const lines = [lineOf(head), lineOf(head.map(() => "---")), ...rows];
  return `${INTRODUCTION}\n${lines.join("\n")}\n\n${tallyOf(reports)}\n`;
}

/** One scenario's line of the page. */
export function scorecardRow({ id, title }: Scenario, reports: readonly Report[]): string {
  const own = reports.filter((report) => report.id === id);
  const verdict = (form: Report["form"]): string => own.find((report) => report.form === form)?.verdict ?? "";
  const peers = PEERS[id] ?? ["", "", ""];
  return lineOf([id, title, verdict("streamed") || verdict("staged"), verdict("whole"), ...peers]);
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** How many of each verdict, and how soon another account was asked. */
function tallyOf(reports: readonly Report[]): string {
  const count = (wanted: string): number => reports.filter(({ verdict }) => verdict === wanted).length;
  return `${count("pass")} pass, ${count("safe")} safe, ${count("fail")} fail.`;
}

/** From a fault to the next account being asked, in milliseconds: the median and the worst. */
export function failoverFigures(reports: readonly Report[]): string {
  const times = reports.flatMap(({ failoverMs }) => (failoverMs === undefined ? [] : [failoverMs]));
  const sorted = times.toSorted((a, b) => a - b);
  return `failover after the fault: median ${sorted[sorted.length >> 1] ?? 0} ms, worst ${sorted.at(-1) ?? 0} ms, of ${sorted.length}`;
}
