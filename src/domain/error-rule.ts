import type { Platform } from "./platform.ts";

/** Whether one of a rule's conditions is enough, or all that it names must hold. */
export const RULE_MATCHES = ["any", "all"] as const;
export type RuleMatch = (typeof RULE_MATCHES)[number];

/** How an upstream's error answer is shown to clients, where that differs from the usual. */
export interface ErrorRule {
  readonly id: number;
  /** Lower is tried first; the first rule that fits decides. */
  readonly priority: number;
  /** Empty: every platform. */
  readonly platforms: readonly Platform[];
  /** Upstream statuses; empty: not asked for. A rule that asks for nothing fits nothing. */
  readonly statuses: readonly number[];
  /** In lower case, looked for in the answer's text; empty: not asked for. */
  readonly keywords: readonly string[];
  readonly match: RuleMatch;
  /** Undefined: the upstream's own status. */
  readonly responseStatus: number | undefined;
  /** Undefined: the upstream's own message. */
  readonly message: string | undefined;
  /** What fits is expected: it is not counted as a fault and not logged as one. */
  readonly skipsMonitoring: boolean;
}
