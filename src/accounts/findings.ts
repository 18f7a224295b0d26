/**
 * What can be found about a candidate, in the order of their numbers: a decision record holds one byte for
 * each candidate, so that a pool of a thousand costs one small array.
 */
export const FINDINGS = [
  "eligible",
  "chosen",
  "excluded",
  "disabled",
  "error",
  "not_schedulable",
  "expired",
  "other_platform",
  "model_unsupported",
  "not_routed",
  "cooling",
  "model_cooling",
  "circuit_open",
  "quota_reached",
  "window_cost_reached",
  "rpm_reached",
  "session_limit_reached",
  "full",
  "queue_full",
] as const;
export type Finding = (typeof FINDINGS)[number];

/** The number of each finding. */
export const FOUND = Object.freeze(
  Object.fromEntries(FINDINGS.map((finding, index) => [finding, index])),
) as Readonly<Record<Finding, number>>;

/** Findings that no wait and no other request can change: a binding to such an account is of no use. */
export function isLasting(found: number): boolean {
  return found >= FOUND.disabled && found <= FOUND.model_unsupported;
}
