import type { Attempt } from "#simulator/attempt.ts";
import type { Plan } from "#simulator/plan.ts";
import type { Tenant } from "#support/gateway.ts";
import type { CallerView } from "./caller.ts";
import type { Wall } from "./wall.ts";

/** How an answer is asked for. */
export type Form = "streamed" | "whole";

/**
 * How a scenario went: `pass` the best that could be had; `safe` a clean, bounded error where an answer was not
 * possible any more; `fail` a hang, a truncated answer that looks whole, hammering, or something left behind.
 */
export type Verdict = "pass" | "safe" | "fail";

/** What was seen on both sides of the gateway. */
export interface Views {
  readonly caller: CallerView;
  readonly tenant: Tenant;
  /** What each account's upstream saw, in order. */
  readonly attempts: readonly (readonly Attempt[])[];
}

/** A fault that accounts play, and what is to come of it. */
export interface PlannedScenario extends Described {
  readonly forms: readonly Form[];
  /** What each account's upstream does, by priority: one plan for ever, or several, one after the other, and then well. */
  readonly accounts: readonly (readonly Plan[])[];
  /**
   * The best there is: `answer` the caller gets a whole one; `relayed` the upstream's own refusal, which no other
   * account could cure; `error-end` content has gone to the caller already, so an explicit error is all there is.
   */
  readonly best: "answer" | "relayed" | "error-end";
  /** Most attempts on each account. */
  readonly attemptsMax: readonly number[];
  readonly body?: Record<string, unknown>;
  /** What else must hold; says what does not. */
  readonly finds?: (views: Views, wall: Wall) => string | undefined | Promise<string | undefined>;
}

/** A scenario with a course of its own; says what is wrong, or `undefined`. */
export interface StagedScenario extends Described {
  readonly best: "answer" | "error-end";
  readonly run: (wall: Wall) => Promise<string | undefined>;
}

interface Described {
  readonly id: string;
  readonly title: string;
}

export type Scenario = PlannedScenario | StagedScenario;

/** How one scenario went in one form. */
export interface Report {
  readonly id: string;
  readonly form: Form | "staged";
  readonly verdict: Verdict;
  /** What was wrong; empty unless it failed. */
  readonly why: string;
  /** From the fault to the next account being asked, in milliseconds. */
  readonly failoverMs: number | undefined;
}
