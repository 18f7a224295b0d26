/** Why an account is not used for a while. The order is that of their numbers in shared memory. */
export const COOLING_REASONS = [
  "rate_limited",
  "overloaded",
  "credential_rejected",
  "forbidden",
  "rule",
  "stream_timeouts",
] as const;
export type CoolingReason = (typeof COOLING_REASONS)[number];

/** What has happened to an account's state. */
export const ACCOUNT_EVENT_KINDS = [
  "cooled",
  "model_cooled",
  "circuit_opened",
  "circuit_closed",
  "failed",
  "recovered",
] as const;
export type AccountEventKind = (typeof ACCOUNT_EVENT_KINDS)[number];

/** One change of an account's state, as it is kept and shown. */
export interface AccountEvent {
  readonly accountId: number;
  readonly kind: AccountEventKind;
  /** In words, for operators; holds no credential. */
  readonly reason: string;
  /** Why it cools, where it does. */
  readonly cooling: CoolingReason | undefined;
  /** Which model, where it is about one. */
  readonly model: string | undefined;
  /** Milliseconds since the Unix epoch; undefined where it has no end of its own. */
  readonly untilMs: number | undefined;
  /** The upstream's HTTP status, where one caused it. */
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
}
