import type { BenchRun } from "./bench-run.ts";
import { interleaved, ratioOf } from "./cost-ratio.ts";
import { type LabVariant, openLab } from "./lab.ts";
import { watchMachine } from "./machine.ts";
import { spreadOf } from "./table.ts";

/** The gateway with everything on, and with one thing changed. */
const VARIANTS: readonly LabVariant[] = [
  { name: "everything on" },
  { name: "BILLING=off: meter only", env: { BILLING: "off" } },
  { name: "LOG_LEVEL=warn: no line per request", env: { LOG_LEVEL: "warn" } },
  { name: "user without a limit", tenant: { userConcurrency: 0 } },
  { name: "account without a limit", tenant: { concurrency: 0 } },
  {
    name: "PARSE_OFFLOAD_BYTES=1073741824: bodies read where they arrive",
    env: { PARSE_OFFLOAD_BYTES: "1073741824" },
  },
  { name: "PARSE_OFFLOAD_BYTES=0: bodies read on parse threads", env: { PARSE_OFFLOAD_BYTES: "0" } },
  { name: "PING_INTERVAL_SECONDS=60: hardly a ping", env: { PING_INTERVAL_SECONDS: "60" } },
  { name: "JOURNAL_FSYNC=interval: the disk takes the journal", env: { JOURNAL_FSYNC: "interval" } },
  { name: "embedded database instead of PostgreSQL", without: ["postgres"] },
];

/** What every feature that can be switched costs: all variants run side by side, measured in turn. */
export async function features({ options, say, report }: BenchRun): Promise<void> {
  const variants = VARIANTS.filter(({ without }) => without === undefined || options.postgres !== undefined);
  const lab = await openLab(options);
  try {
    const contestants = [await lab.startBare()];
    for (const variant of variants) contestants.push(await lab.startSluice(variant));
    for (const scenario of options.scenarios) {
      say(`${scenario.name}: ${variants.length} variants, ${options.rounds} rounds`);
      const machine = watchMachine();
      const [bare = [], ...costs] = await interleaved({ lab, scenario, ...options }, contestants);
      const [complete = []] = costs;
      report({
        id: `features-${scenario.id}`,
        title: `CPU time per request with one thing changed: ${scenario.name}`,
        columns: [
          { name: "CPU", unit: "µs" },
          { name: "cost ratio", digits: 2 },
          { name: "against everything on", unit: "µs" },
        ],
        rows: variants.map(({ name = "" }, index) => {
          const own = costs[index] ?? [];
          return {
            name,
            cells: [
              spreadOf(own.map(({ micros }) => micros)),
              ratioOf(own, bare, ({ micros }) => micros),
              index === 0
                ? undefined
                : spreadOf(own.map(({ micros }, round) => micros - (complete[round]?.micros ?? Number.NaN))),
            ],
          };
        }),
        notes: [`Median and range of ${options.rounds} interleaved rounds; ${machine()}.`],
      });
    }
  } finally {
    await lab.stop();
  }
}
