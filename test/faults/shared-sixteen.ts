import { usageOf } from "#support/gateway.ts";
import type { Scenario, Views } from "./scenario.ts";
import type { Wall } from "./wall.ts";

const BOTH = ["streamed", "whole"] as const;
const STREAMED = ["streamed"] as const;
const FINE = [{ text: "an answer", events: 4 }];
/** How soon an account that is back must be used, in milliseconds: half a minute, as fast as everything here. */
const BACK_MS_MAX = 3_000;
/** Content has gone out by then. */
export const MIDWAY = 2;
/** Between two events, so that what came before the fault is read before it even where the machine is slow. */
export const INTERVAL_MS = 200;

/** What a client can act on comes to it as the upstream has said it. */
export const isRelayed =
  (words: string) =>
  ({ caller }: Views): string | undefined =>
    caller.status === 400 && caller.text.includes(words)
      ? undefined
      : `the caller got ${caller.status}: ${caller.text.slice(0, 120)}`;

async function rowProblem({ caller, tenant }: Views, wall: Wall): Promise<string | undefined> {
  const rows = await usageOf(wall.stage.gateway, tenant.userId);
  const [row] = rows;
  if (rows.length !== 1 || row === undefined) return `${rows.length} rows for one request`;
  if (row.account_id !== tenant.accountIds[1])
    return "the row names another account than the one that answered";
  if (row.attempts !== 2) return `the row tells of ${row.attempts} attempts`;
  const [attempt] = wall.attemptsOf(tenant)[1] ?? [];
  const { input_tokens, output_tokens } = attempt?.usage ?? {};
  const isSame = row.input_tokens === input_tokens && row.output_tokens === output_tokens;
  if (!isSame) return "the row has other tokens than the upstream's bill";
  return row.request_id === caller.headers.get("x-sluice-request-id") ? undefined : "the row has another id";
}

/** An account that has asked to be left alone is left alone for that long. */
async function isLeftAlone({ tenant }: Views, wall: Wall): Promise<string | undefined> {
  for (let turn = 0; turn < 3; turn++) await wall.ask(tenant, "whole");
  const count = wall.attemptsOf(tenant)[0]?.length;
  return count === 1 ? undefined : `the account was asked ${count} times within its retry-after`;
}

/** Each is a conversation of its own: one that goes on stays with the account that has it in its cache. */
const conversation = (nth: number) => ({ messages: [{ role: "user", content: `Hello number ${nth}` }] });

/** An account that is out for a while, with a request every moment, and must be used again soon after it is back. */
async function flap(wall: Wall): Promise<string | undefined> {
  const tenant = await wall.stage.tenant([{ priority: 1 }, { priority: 2 }]);
  const [flapping = ""] = tenant.upstreamKeys;
  wall.stage.simulator.plan({ status: 503 }, { apiKey: flapping, repeat: true });
  for (let turn = 0; turn < 20; turn++) {
    const form = turn % 2 === 0 ? "streamed" : "whole";
    const { isWhole, status } = await wall.ask(tenant, form, conversation(turn));
    if (!isWhole) return `request ${turn} was answered ${status}`;
    await Bun.sleep(100);
  }
  const wasted = wall.stage.attemptsOf(flapping).length;
  if (wasted > 20) return `${wasted} wasted attempts for 20 requests`;
  wall.stage.simulator.plan({}, { apiKey: flapping, repeat: true });
  const backAtMs = Date.now();
  while (wall.stage.attemptsOf(flapping).length === wasted) {
    if (Date.now() - backAtMs > BACK_MS_MAX) return "an account that is well again is not used";
    await wall.ask(tenant, "whole", conversation(Date.now()));
    await Bun.sleep(100);
  }
  return await wall.restProblem(tenant);
}

/** A prompt that is too long for a group's accounts goes to the group that is named for such requests. */
async function tooLong(wall: Wall): Promise<string | undefined> {
  const larger = await wall.stage.tenant([{}]);
  const group = { fallback_group_id_on_invalid_request: larger.groupId };
  const tenant = await wall.stage.tenant([{}, {}], { group });
  const plan = { status: 400, error_message: "prompt is too long: 210000 tokens > 200000 maximum" };
  for (const apiKey of tenant.upstreamKeys) wall.stage.simulator.plan(plan, { apiKey, repeat: true });
  const { isWhole, status } = await wall.ask(tenant, "streamed");
  if (!isWhole) return `answered ${status} where a larger context could be had`;
  const asked = wall.attemptsOf(tenant).reduce((sum, { length }) => sum + length, 0);
  return asked === 1 ? await wall.restProblem(tenant) : `${asked} attempts with a prompt that cannot fit`;
}

/**
 * The faults of FailoverBench 0.1 (https://github.com/failoverbench/failoverbench), in the dialect of the Messages
 * API, with its budget: at most two retries of a provider.
 */
export const SHARED_SIXTEEN: readonly Scenario[] = [
  {
    id: "S01",
    title: "429 with retry-after",
    forms: BOTH,
    accounts: [[{ status: 429, headers: { "retry-after": "30" } }], FINE],
    best: "answer",
    attemptsMax: [1, 9],
    finds: isLeftAlone,
  },
  {
    id: "S02",
    title: "429 that goes on",
    forms: BOTH,
    accounts: [[{ status: 429 }], FINE],
    best: "answer",
    attemptsMax: [3, 1],
  },
  {
    id: "S03",
    title: "500 once",
    forms: BOTH,
    accounts: [[{ status: 500 }, {}], FINE],
    best: "answer",
    attemptsMax: [3, 1],
  },
  {
    id: "S04",
    title: "503 that goes on",
    forms: BOTH,
    accounts: [[{ status: 503 }], FINE],
    best: "answer",
    attemptsMax: [3, 1],
  },
  {
    id: "S05",
    title: "connection reset before the headers",
    forms: BOTH,
    accounts: [[{ fault: { kind: "reset_before_headers" } }], FINE],
    best: "answer",
    attemptsMax: [3, 1],
  },
  {
    id: "S06",
    title: "no response at all",
    forms: BOTH,
    accounts: [[{ fault: { kind: "silence_before_headers" } }], FINE],
    best: "answer",
    attemptsMax: [1, 1],
  },
  {
    id: "S07",
    title: "first token far too late",
    forms: BOTH,
    accounts: [[{ fault: { kind: "headers_then_silence" } }], FINE],
    best: "answer",
    attemptsMax: [1, 1],
  },
  {
    id: "S08",
    title: "stream cut in the middle",
    forms: STREAMED,
    accounts: [
      [{ events: 8, event_interval_ms: INTERVAL_MS, fault: { kind: "cut", after_event: MIDWAY } }],
      FINE,
    ],
    best: "error-end",
    attemptsMax: [1, 1],
  },
  {
    id: "S09",
    title: "stream stalls in the middle",
    forms: STREAMED,
    accounts: [
      [{ events: 8, event_interval_ms: INTERVAL_MS, fault: { kind: "stall", after_event: MIDWAY } }],
      FINE,
    ],
    best: "error-end",
    attemptsMax: [1, 1],
  },
  {
    id: "S10",
    title: "an event that is not JSON",
    forms: STREAMED,
    accounts: [
      [
        {
          events: 8,
          event_interval_ms: INTERVAL_MS,
          fault: { kind: "malformed_event", after_event: MIDWAY },
        },
      ],
      FINE,
    ],
    best: "answer",
    attemptsMax: [1, 0],
  },
  {
    id: "S11",
    title: "all events, no end of the body",
    forms: STREAMED,
    accounts: [
      [{ events: 4, event_interval_ms: 25, fault: { kind: "missing_terminator", socket: "open" } }],
      FINE,
    ],
    best: "answer",
    attemptsMax: [1, 0],
  },
  { id: "S12", title: "context length exceeded, a larger one at hand", best: "answer", run: tooLong },
  {
    id: "S13",
    title: "refused by a content filter",
    forms: BOTH,
    accounts: [[{ status: 400, error_message: "Output blocked by content filtering policy" }], FINE],
    best: "relayed",
    attemptsMax: [1, 0],
    finds: isRelayed("content filtering policy"),
  },
  {
    id: "S14",
    title: "cut in the middle, and the other account takes no prefill",
    forms: STREAMED,
    accounts: [
      [{ events: 8, event_interval_ms: INTERVAL_MS, fault: { kind: "cut", after_event: MIDWAY } }],
      [{ status: 400, error_message: "Prefilling is not supported" }],
    ],
    best: "error-end",
    attemptsMax: [1, 0],
  },
  { id: "S15", title: "an account that flaps, 20 requests", best: "answer", run: flap },
  {
    id: "S16",
    title: "the books after a failover",
    forms: BOTH,
    accounts: [[{ status: 529 }], [{ text: "an answer", usage: { input_tokens: 31, output_tokens: 17 } }]],
    best: "answer",
    attemptsMax: [3, 1],
    finds: rowProblem,
  },
];
