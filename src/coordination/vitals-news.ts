import type { CoolingReason } from "#domain/account-event.ts";
import type { AccountId } from "#domain/ids.ts";

/** A change of an account's live figures that every node should know. Times are milliseconds since the Unix epoch. */
export type VitalsNews = { readonly account: AccountId } & VitalsChange;

export type VitalsChange =
  | { readonly kind: "cooled"; readonly untilMs: number; readonly reason: CoolingReason }
  | { readonly kind: "model-cooled"; readonly model: string; readonly untilMs: number }
  | ({ readonly kind: "circuit" } & CircuitTimes)
  | { readonly kind: "headroom"; readonly share: number; readonly resetMs: number }
  | { readonly kind: "recovered"; readonly atMs: number }
  | { readonly kind: "models-recovered" };

/** How a circuit has turned. Times are milliseconds since the Unix epoch, but for `openForMs`. */
export interface CircuitTimes {
  /** When; of two turns that one node has seen, the later has the later time, whatever its clock says. */
  readonly atMs: number;
  /** 0: it is closed. */
  readonly openUntilMs: number;
  readonly openForMs: number;
}

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
