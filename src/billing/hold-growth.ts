/** A hold of which so much is used up grows. */
const GROWS_AT = 0.8;
/** By how much, as a share of what it is. */
const STEP = 0.5;
/** By how much beyond what is used already, where the purse cannot afford the whole step. */
const LAST_STEP = 0.05;

/** What becomes of an answer that its purse cannot pay for to the end. */
export interface ExhaustionPolicy {
  /** `finish` lets it go on within the overdraft, `stop` does not. Beyond that it is ended either way. */
  readonly onExhausted: "finish" | "stop";
  /** How far a purse may be overdrawn by all its answers that finish, together, in nano-dollars. */
  readonly overdraftNanos: number;
}

/** One size that a hold may grow to, and how far its purse may be overdrawn for it, both in nano-dollars. */
export interface GrowthStep {
  readonly targetNanos: number;
  readonly overdraftNanos: number;
}

/**
 * The sizes to try, one after the other, for a hold of which so much is used; none while it is large enough. A
 * request whose hold cannot grow goes on until more is used than held.
 */
export function growthSteps(
  usedNanos: number,
  heldNanos: number,
  { onExhausted, overdraftNanos }: ExhaustionPolicy,
): readonly GrowthStep[] {
  if (usedNanos < heldNanos * GROWS_AT || usedNanos === 0) return [];
  const targetNanos = Math.ceil(Math.max(heldNanos * (1 + STEP), usedNanos / GROWS_AT));
  const whole = { targetNanos, overdraftNanos: 0 };
  if (usedNanos <= heldNanos) return [whole];
  const least = Math.min(targetNanos, Math.ceil(usedNanos * (1 + LAST_STEP)));
  const allowedNanos = onExhausted === "finish" ? overdraftNanos : 0;
  return [
    whole,
    { targetNanos: least, overdraftNanos: allowedNanos },
    { targetNanos: usedNanos, overdraftNanos: allowedNanos },
  ];
}
