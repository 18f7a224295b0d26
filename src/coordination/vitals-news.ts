import type { CoolingReason } from "#domain/account-event.ts";
import type { AccountId } from "#domain/ids.ts";

/** A change of an account's live figures that every node should know. Times are milliseconds since the Unix epoch. */
export type VitalsNews = { readonly account: AccountId } & (
  | { readonly kind: "cooled"; readonly untilMs: number; readonly reason: CoolingReason }
  | { readonly kind: "model-cooled"; readonly model: string; readonly untilMs: number }
  /** `openUntilMs` 0: the circuit is closed. */
  | { readonly kind: "circuit"; readonly openUntilMs: number; readonly openForMs: number }
  | { readonly kind: "headroom"; readonly share: number; readonly resetMs: number }
  | { readonly kind: "recovered" | "models-recovered" }
);

/** An account as all nodes together use it. */
export interface AccountFigures {
  readonly account: AccountId;
  readonly inFlight: number;
  readonly waiting: number;
  /** Milliseconds since the Unix epoch. */
  readonly lastUsedMs: number;
  /** Requests of the current minute of the clock. */
  readonly requests: number;
}
