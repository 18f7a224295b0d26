import { type WindowSpan, windowEndMs, windowUsedNanos } from "#domain/spend-window.ts";
import { decimalOf, momentOf } from "./wire.ts";

/** The columns in which a row keeps its window of a span. */
type WindowColumns<Span extends WindowSpan> = {
  /** Milliseconds since the Unix epoch; null: there was none yet. */
  readonly [Name in `window${Span}StartedAtMs`]: number | null;
} & { readonly [Name in `window${Span}UsedNanos`]: bigint };

/** A row's window of spending as it is shown. Outside of one nothing is used, and the moments are null. */
export function shownWindow<Span extends WindowSpan>(row: WindowColumns<Span>, span: Span, nowMs: number) {
  const startedAtMs: number | null = row[`window${span}StartedAtMs`];
  const usedNanos: bigint = row[`window${span}UsedNanos`];
  const window = startedAtMs === null ? undefined : { startedAtMs, usedNanos };
  const endMs = windowEndMs(window, span, nowMs);
  return {
    usedUsd: decimalOf(windowUsedNanos(window, span, nowMs)),
    startedAt: endMs === undefined ? null : momentOf(startedAtMs),
    resetAt: momentOf(endMs ?? null),
  };
}
