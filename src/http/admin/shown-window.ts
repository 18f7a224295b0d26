import { type WindowSpan, windowEndMs, windowUsedNanos } from "#domain/spend-window.ts";
import { decimalOf, momentOf } from "./wire.ts";

/** A window of spending as its row keeps it. */
interface StoredWindow {
  /** Milliseconds since the Unix epoch; null: there was none yet. */
  readonly startedAtMs: number | null;
  readonly usedNanos: bigint;
}

/** A window of spending as it is shown. Outside of one nothing is used, and the moments are null. */
export function shownWindow({ startedAtMs, usedNanos }: StoredWindow, span: WindowSpan, nowMs: number) {
  const window = startedAtMs === null ? undefined : { startedAtMs, usedNanos };
  const endMs = windowEndMs(window, span, nowMs);
  return {
    usedUsd: decimalOf(windowUsedNanos(window, span, nowMs)),
    startedAt: endMs === undefined ? null : momentOf(startedAtMs),
    resetAt: momentOf(endMs ?? null),
  };
}
