import type { VitalsBoard } from "#coordination/account-vitals.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import { momentOf } from "./wire.ts";

const MS_PER_MINUTE = 60_000;

/** The live figures of an account as its status shows them. What was never measured or has passed is null. */
export function accountVitals(row: AccountRow, board: Pick<VitalsBoard, "of">, nowMs: number) {
  const vitals = board.of(row.id);
  const { coolingUntilMs, firstTokenMs, lastUsedMs } = vitals;
  const isCooling = coolingUntilMs > nowMs;
  return {
    cooling_until: isCooling ? momentOf(coolingUntilMs) : null,
    cooling_reason: isCooling ? (vitals.coolingReason ?? null) : null,
    circuit: vitals.circuit(nowMs),
    first_token_ms: firstTokenMs === 0 ? null : firstTokenMs,
    error_rate: vitals.errorRate,
    headroom: vitals.headroom(nowMs),
    requests_in_minute: vitals.requestsInMinute(nowMs),
    active_sessions: vitals.activeSessions(row.sessionIdleMinutes * MS_PER_MINUTE, nowMs),
    last_used_at: lastUsedMs === 0 ? null : momentOf(lastUsedMs),
  };
}

/** What {@link accountVitals} gives. */
export type ShownVitals = ReturnType<typeof accountVitals>;
