import { QUEUE_MODES } from "./account-limits.ts";

/** One value that an operator may change while the gateway runs. */
export type SettingSpec =
  | {
      readonly kind: "integer";
      readonly fallback: number;
      readonly min: number;
      readonly max: number;
      readonly why: string;
    }
  | {
      readonly kind: "number";
      readonly fallback: number;
      readonly min: number;
      readonly max: number;
      readonly why: string;
    }
  | { readonly kind: "flag"; readonly fallback: boolean; readonly why: string }
  | {
      readonly kind: "choice";
      readonly words: readonly [string, ...string[]];
      readonly fallback: string;
      readonly why: string;
    }
  /** `x.y.z`, or empty for none. */
  | { readonly kind: "version"; readonly fallback: ""; readonly why: string }
  /** Models to list besides a platform's own catalogue. */
  | { readonly kind: "models"; readonly fallback: readonly ExtraModel[]; readonly why: string }
  /** What models cost, where that is not what the built-in catalogue says. */
  | { readonly kind: "prices"; readonly fallback: readonly PriceOverride[]; readonly why: string };

/** A model that the built-in catalogue does not know. */
export interface ExtraModel {
  readonly platform: string;
  readonly id: string;
  readonly displayName: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** What an operator says a model costs, in nano-dollars per million tokens. */
export interface PriceOverride {
  /** A name, or a pattern that ends in `*`. */
  readonly model: string;
  readonly inputNanos: bigint;
  readonly outputNanos: bigint;
  /** Undefined, as for the other two of the cache: the usual share of the input's price. */
  readonly cacheWrite5mNanos: bigint | undefined;
  readonly cacheWrite1hNanos: bigint | undefined;
  readonly cacheReadNanos: bigint | undefined;
  /** For each request, besides its tokens; undefined: nothing. */
  readonly requestNanos: bigint | undefined;
}

const integer = <const Fallback extends number>(fallback: Fallback, min: number, max: number, why: string) =>
  ({ kind: "integer", fallback, min, max, why }) as const;
const number = (fallback: number, min: number, max: number, why: string) =>
  ({ kind: "number", fallback, min, max, why }) as const;
const flag = (fallback: boolean, why: string) => ({ kind: "flag", fallback, why }) as const;

const DAY_SECONDS = 86_400;

/**
 * Every setting there is, by its name in the admin API. A change holds for the next request and needs no
 * restart. Where the environment has a value too, that is another thing: these are about behaviour, not size.
 */
export const RUNTIME_SETTINGS = {
  sticky_ttl_seconds: integer(
    3_600,
    1,
    7 * DAY_SECONDS,
    "How long a conversation stays bound to its account after its last request.",
  ),
  sticky_wait_seconds: integer(120, 0, 3_600, "Longest wait of a bound conversation for its own account."),
  sticky_waiters_max: integer(
    3,
    0,
    100_000,
    "Most bound requests that wait for their own account before others spill over.",
  ),
  sticky_escape_first_token_ms: integer(
    60_000,
    100,
    3_600_000,
    "A conversation leaves an account whose measured time to the first token is above this.",
  ),
  sticky_escape_error_rate: number(
    0.5,
    0.01,
    1,
    "A conversation leaves an account whose measured share of failures is above this.",
  ),
  switches_max: integer(10, 0, 100, "Most accounts one request moves on to after the first."),
  switches_max_gemini: integer(3, 0, 100, "The same, for the gemini platform."),
  same_account_retries: integer(
    3,
    0,
    10,
    "How often one account is asked again where a fault allows it, or where the group has no other.",
  ),
  same_account_delay_ms: integer(500, 0, 60_000, "Pause before the first such retry; it doubles with each."),
  circuit_failures: integer(5, 1, 1_000, "Failures in a row after which an account is left alone."),
  circuit_open_seconds: integer(10, 1, 3_600, "For how long, at first; it doubles while its probes fail."),
  circuit_open_seconds_max: integer(30, 1, DAY_SECONDS, "For how long at most."),
  rate_limit_cooldown_seconds: integer(
    5,
    1,
    3_600,
    "How long an account rests after a 429 that names no time, at first; it doubles.",
  ),
  rate_limit_cooldown_seconds_max: integer(
    300,
    1,
    DAY_SECONDS,
    "How long it rests at most after such a 429.",
  ),
  rate_limit_headroom: number(
    0.02,
    0,
    1,
    "An account with less than this share of a rate limit left is used last.",
  ),
  overload_cooldown: flag(true, "Whether an account rests after a 529."),
  overload_cooldown_minutes: integer(
    10,
    1,
    120,
    "For how long; a group's only account is tried again instead.",
  ),
  stream_timeout_action: {
    kind: "choice",
    words: ["none", "cool", "error"],
    fallback: "none",
    why: "What stalled streams do to their account.",
  },
  stream_timeout_minutes: integer(5, 1, 60, "How long it then rests."),
  stream_timeout_count: integer(3, 1, 10, "After how many stalled streams."),
  stream_timeout_window_minutes: integer(10, 1, 60, "Within how long."),
  user_message_queue: {
    kind: "choice",
    words: QUEUE_MODES,
    fallback: "off",
    why: "How accounts treat messages of people that come close together, where they say nothing themselves.",
  },
  user_message_wait_seconds: integer(30, 1, 600, "Longest wait for one's turn."),
  user_message_delay_min_ms: integer(
    200,
    0,
    60_000,
    "Pause between two messages while an account has few requests per minute.",
  ),
  user_message_delay_max_ms: integer(2_000, 0, 60_000, "The pause near its limit of requests per minute."),
  claude_code_version_min: {
    kind: "version",
    fallback: "",
    why: "Oldest Claude Code that is served; empty for any.",
  },
  claude_code_version_max: {
    kind: "version",
    fallback: "",
    why: "Newest Claude Code that is served; empty for any.",
  },
  extra_models: { kind: "models", fallback: [], why: "Models to list besides the built-in catalogue." },
  model_prices: {
    kind: "prices",
    fallback: [],
    why: "What models cost, before what the built-in catalogue says. A model is a name or a pattern that ends in `*`, in any case; the longest that fits counts. The entry `*` alone is for models that neither another entry nor the catalogue knows, and counts before `unknown_model_price`. Amounts are US dollars; without its own price a cache write of five minutes costs 1.25 of the input price, one of an hour 2, a cache read 0.1. `request_usd` is added to each request that used tokens.",
  },
  unknown_model_price: {
    kind: "choice",
    words: ["refuse", "family_max"],
    fallback: "refuse",
    why: "What becomes of a model that has no price: `refuse` answers 400 before any account is asked, `family_max` bills the dearest model that the catalogue knows of its family (opus, fable, sonnet, haiku, gemini), or of the platform where its name shows none. With `BILLING=off` nothing is refused, and without a price no cost is recorded.",
  },
  hold_first_guess_tokens: integer(
    1_024,
    1,
    1_000_000,
    "How many tokens an answer is taken to have, for the money that is set aside before it, until eight answers of the same key and model are known. Never more than the client's own `max_tokens`.",
  ),
  on_exhausted: {
    kind: "choice",
    words: ["stop", "finish"],
    fallback: "stop",
    why: "What becomes of a streamed answer whose balance or limit cannot pay for the rest: `stop` ends it with an error event, `finish` lets it go on within `overdraft_usd`.",
  },
  overdraft_usd: number(
    0,
    0,
    1_000_000,
    "By how much all answers that finish may together overdraw what pays for them, in US dollars.",
  ),
  usage_retention_months: integer(
    0,
    0,
    1_200,
    "How many whole months of usage are kept besides the present one, in UTC; 0 for all. Older ones are dropped within the hour and for good: their rows and attempts, but not the sums by day. A record of a dropped month that comes later is not booked but kept in `refused.jsonl` of the journal.",
  ),
} as const satisfies Record<string, SettingSpec>;

type Specs = typeof RUNTIME_SETTINGS;
export type SettingName = keyof Specs;

type ValueOf<Spec extends SettingSpec> = Spec extends { kind: "integer" | "number" }
  ? number
  : Spec extends { kind: "flag" }
    ? boolean
    : Spec extends { kind: "choice"; words: readonly (infer Word)[] }
      ? Word
      : Spec extends { kind: "models" }
        ? readonly ExtraModel[]
        : Spec extends { kind: "prices" }
          ? readonly PriceOverride[]
          : string;

/** The settings as they are now. Replaced as a whole when one changes. */
export type RuntimeSettings = { readonly [Name in SettingName]: ValueOf<Specs[Name]> };

/** The settings of a gateway where nobody has changed any. */
export const DEFAULT_SETTINGS = Object.freeze(
  Object.fromEntries(Object.entries(RUNTIME_SETTINGS).map(([name, spec]) => [name, spec.fallback])),
) as unknown as RuntimeSettings;
