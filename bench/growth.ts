import type { BenchRun } from "./bench-run.ts";
import { costsOf, curveOf } from "./growth-cost.ts";
import { eventCurves, openStreamCurve } from "./growth-streams.ts";
import { type Contestant, type Lab, openLab } from "./lab.ts";
import { ADMIN_TOKEN, type Sluice } from "./stage.ts";

const USERS = [1, 1_000, 5_000] as const;
const ACCOUNTS = [1, 10, 100, 500] as const;
const BODY_BYTES = [100, 1_000, 10_000, 100_000, 1_000_000] as const;
/** Admin calls that are under way at once while a gateway is filled. */
const CALLS = 16;
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
      curveOf(
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
      curveOf(
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
    report(curveOf("growth-body", "Size of its body, in bytes", BODY_BYTES, await costsOf(terms, bodies)));
    say("events");
    for (const table of await eventCurves(lab, options)) report(table);
    say("open streams");
    report(await openStreamCurve(lab, options));
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
