import type { BenchRun } from "./bench-run.ts";
import { type Contestant, type Lab, openLab, targetOf } from "./lab.ts";
import { cpuMicros } from "./processes.ts";
import type { Scenario } from "./scenarios.ts";
import { ADMIN_TOKEN, type Sluice } from "./stage.ts";
import { type Spread, spreadOf, type Table } from "./table.ts";

const USERS = [1, 1_000, 5_000] as const;
const ACCOUNTS = [1, 10, 100, 500] as const;
const BODY_BYTES = [100, 1_000, 10_000, 100_000, 1_000_000] as const;
/** Admin calls that are under way at once while a gateway is filled. */
const CALLS = 16;
const WARM_UP_REQUESTS = 6_000;
const REQUESTS = 3_000;
/** Bytes that are sent in one round at most. */
const ROUND_BYTES = 300_000_000;

type Column = Table["columns"][number];
const COLUMNS: readonly Column[] = [
  { name: "CPU per request", unit: "µs" },
  { name: "against the first", digits: 2 },
];

/** How the cost of a request grows with how many there are of something, everything else being as small as can be. */
export async function growth({ options, say, report }: BenchRun): Promise<void> {
  const lab = await openLab(options);
  const terms = { lab, ...options };
  try {
    say("users and keys");
    const keyed: Contestant[] = [];
    for (const users of USERS)
      keyed.push(await filled(lab, users, (sluice) => sluice.tenant({ upstream: lab.upstream.url })));
    report(
      tableOf(
        "growth-keys",
        "Users, each with a key",
        USERS,
        await costsOf(
          terms,
          keyed.map((to) => ({ to, body: bodyOf(0) })),
        ),
      ),
    );
    say("accounts");
    const pooled: Contestant[] = [];
    for (const accounts of ACCOUNTS) pooled.push(await withAccounts(lab, accounts));
    report(
      tableOf(
        "growth-accounts",
        "Accounts that could serve it",
        ACCOUNTS,
        await costsOf(
          terms,
          pooled.map((to) => ({ to, body: bodyOf(0) })),
        ),
      ),
    );
    say("bodies");
    const [only] = keyed;
    if (only === undefined) return;
    const bodies = BODY_BYTES.map((bytes) => ({ to: only, body: bodyOf(bytes) }));
    report(tableOf("growth-body", "Size of its body, in bytes", BODY_BYTES, await costsOf(terms, bodies)));
  } finally {
    await lab.stop();
  }
}

function bodyOf(bytes: number): string {
  const content = "Tell me more about it, in a few words. "
    .repeat(Math.ceil(bytes / 39))
    .slice(0, Math.max(2, bytes - 90));
  return JSON.stringify({
    model: "claude-sonnet-4-6",
    max_tokens: 64,
    messages: [{ role: "user", content }],
  });
}

/** A gateway in which so many of something have been made. */
async function filled(
  lab: Lab,
  count: number,
  make: (sluice: Sluice) => Promise<unknown>,
): Promise<Contestant> {
  const contestant = await lab.startSluice();
  let left = count - 1;
  const maker = async (): Promise<void> => {
    while (left-- > 0) await make(contestant.sluice);
  };
  await Promise.all(Array.from({ length: CALLS }, maker));
  return contestant;
}

/** A gateway whose only group has so many accounts. */
async function withAccounts(lab: Lab, count: number): Promise<Contestant> {
  let made = 0;
  return await filled(lab, count, async ({ url }) => {
    const name = `account-${++made}`;
    const answer = await fetch(`${url}/admin/accounts`, {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({
        name,
        platform: "anthropic",
        type: "api_key",
        credentials: { api_key: name },
        base_url: lab.upstream.url,
        group_ids: [1],
        concurrency: 10_000,
      }),
    });
    if (!answer.ok) throw new Error(await answer.text());
  });
}

interface Terms {
  readonly lab: Lab;
  readonly rounds: number;
  readonly connections: number;
}

interface Load {
  readonly to: Contestant;
  readonly body: string;
}

/** CPU time per request of each load, round by round, in microseconds. */
async function costsOf(
  { lab, rounds, connections }: Terms,
  loads: readonly Load[],
): Promise<readonly (readonly number[])[]> {
  const send = async ({ to, body }: Load, most: number): Promise<number> => {
    const requests = Math.ceil(Math.min(most, ROUND_BYTES / body.length));
    const scenario: Pick<Scenario, "body"> = { body };
    await lab.generator.runWhole({
      kind: "closed",
      target: targetOf(to, scenario),
      connections,
      requests,
      leavingShare: 0,
    });
    return requests;
  };
  for (const load of loads) await send(load, WARM_UP_REQUESTS);
  const costs = loads.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, load] of loads.entries()) {
      await send(load, REQUESTS / 2);
      const before = cpuMicros(load.to.pid ?? process.pid);
      const requests = await send(load, REQUESTS);
      costs[index]?.push((cpuMicros(load.to.pid ?? process.pid) - before) / requests);
    }
  }
  return costs;
}

function tableOf(
  id: string,
  title: string,
  counts: readonly number[],
  costs: readonly (readonly number[])[],
): Table {
  const [first = []] = costs;
  const against = (own: readonly number[]): Spread =>
    spreadOf(own.map((cost, round) => cost / (first[round] ?? Number.NaN)));
  return {
    id,
    title: `What a request costs: ${title.toLowerCase()}`,
    columns: COLUMNS,
    rows: counts.map((count, index) => {
      const own = costs[index] ?? [];
      return { name: count.toLocaleString("en"), cells: [spreadOf(own), against(own)] };
    }),
    notes: [],
  };
}
