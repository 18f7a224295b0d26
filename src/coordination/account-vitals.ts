import type { CoolingReason } from "#domain/account-event.ts";
import type { SessionLimit } from "#domain/account-limits.ts";
import type { AccountId } from "#domain/ids.ts";

/** How a run of failures is answered. */
export interface CircuitPolicy {
  /** Failures in a row that open the circuit. */
  readonly failuresMax: number;
  /** How long it stays open at first, in milliseconds; it doubles with every probe that fails. */
  readonly openMs: number;
  readonly openMsMax: number;
}

/** Whether an account may be asked, as its circuit has it. `half-open`: one probe may find out. */
export type CircuitState = "closed" | "open" | "half-open";

/** What an outcome did to the circuit. */
export type CircuitChange = "opened" | "closed" | "none";

/**
 * The live figures of one account, the same for everyone who shares the coordinator.
 *
 * Reading is cheap, never waits and may be a moment old; every change is one step that others see whole.
 * Times are milliseconds since the Unix epoch; 0 means never.
 */
export interface AccountVitals {
  readonly inFlight: number;
  readonly waiting: number;
  readonly lastUsedMs: number;
  /** It is to be left alone until then. */
  readonly coolingUntilMs: number;
  /** Why it was to be left alone last, also when that is over. */
  readonly coolingReason: CoolingReason | undefined;
  /** The smallest share that is left of any of its rate limits, 0 to 1; 1 when none is known. */
  headroom(nowMs: number): number;
  /** Requests counted in the current minute of the clock. */
  requestsInMinute(nowMs: number): number;
  circuit(nowMs: number): CircuitState;
  /** It is cooling, or its circuit is open: the first question about every account, in one step. */
  isResting(nowMs: number): boolean;
  /** Exponentially weighted time to the first token, in milliseconds; 0 before anything was measured. */
  readonly firstTokenMs: number;
  /** Exponentially weighted share of attempts that failed, 0 to 1. */
  readonly errorRate: number;
  /** Attempts that the two above rest on. */
  readonly samples: number;

  /** It has been chosen. */
  used(nowMs: number): void;
  /** Counts a request towards this minute. */
  countRequest(nowMs: number): void;
  /** Extends the cooling; a sooner end changes nothing. True when it did. */
  cool(untilMs: number, reason: CoolingReason): boolean;
  /**
   * How many refusals without a hint came in a row, this one included. A new row begins after a success, or
   * `forgetMs` after the last one.
   */
  strike(nowMs: number, forgetMs: number): number;
  /** Counts a stalled stream; how many there were within the window, this one included, which begins anew at the limit. */
  countStall(nowMs: number, windowMs: number, limit: number): number;
  /**
   * What a rate limit has left, and when it is full again. Replaces what is known, unless that is smaller and
   * holds for longer.
   */
  noteHeadroom(share: number, resetMs: number): void;
  /**
   * Takes the right to probe a half-open circuit. Only one caller gets it until `succeeded`, `failed`,
   * `abstained` or `probeMsMax` later. True at once where the circuit is closed, false where it is open.
   */
  tryProbe(nowMs: number, probeMsMax: number): boolean;
  /** An attempt went well. `firstTokenMs` 0: not measured. */
  succeeded(nowMs: number, firstTokenMs: number): CircuitChange;
  /**
   * An attempt failed for the account's or the upstream's fault. Once the circuit has opened, only the probe's
   * failure changes it: the other attempts were under way before, whichever thread made them.
   */
  failed(nowMs: number, policy: CircuitPolicy): CircuitChange;
  /** An attempt ended without saying anything about the account: gives back the right to probe if this thread has it. */
  abstained(): void;
  /** Forgets cooling, circuit, strikes, stalls, failures, rate limits and what was measured. */
  recover(nowMs: number): void;
  /**
   * Counts a conversation as active. False when `sessionsMax` others are active already. A conversation counts
   * for `idleMs` after its last request. A backend may count no more than a bounded number; beyond that it refuses.
   */
  admitSession(sessionKey: string, limit: SessionLimit, nowMs: number): boolean;
  /** Conversations that are active now. */
  activeSessions(idleMs: number, nowMs: number): number;
  /** Whether {@link admitSession} would say yes; changes nothing. */
  wouldAdmitSession(sessionKey: string, limit: SessionLimit, nowMs: number): boolean;
}

/** Where the live figures of accounts are found. */
export interface VitalsBoard {
  /** The figures of one account: the same object at every call, so that it can be kept. */
  of(account: AccountId): AccountVitals;
  /**
   * Rests an account for one model; a sooner end changes nothing. Bounded: when there is no room, the rest that
   * was noted longest ago is lost, which costs one more refusal by the upstream.
   */
  coolModel(account: AccountId, model: string, untilMs: number): void;
  /** When the rest for this model ends or ended; 0 when none is known. */
  modelCoolingUntilMs(account: AccountId, model: string): number;
  /** Forgets the account's rests for all models. */
  recoverModels(account: AccountId): void;
}
