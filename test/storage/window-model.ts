import { KEY_SPANS, SPAN_MS, SUBSCRIPTION_SPANS, type WindowSpan } from "#domain/spend-window.ts";
import type { UsageRecord } from "#domain/usage-record.ts";

interface Window {
  startedAtMs: number;
  usedNanos: bigint;
}

/** What windows hold when every cost is taken by itself, one after the other, in the plainest way. */
export class WindowModel {
  readonly #windows = new Map<string, Window>();

  /** Takes a batch in, in the order in which its costs came due. */
  book(batch: readonly UsageRecord[]): void {
    const due = batch
      .map((record) => ({ record, ms: record.createdAtMs + record.durationMs }))
      .sort((a, b) => a.ms - b.ms);
    for (const { record, ms } of due) {
      const { apiKeyId, subscriptionId, costNanos = 0n } = record;
      if (costNanos === 0n) continue;
      for (const span of KEY_SPANS) this.#add(`key ${apiKeyId}`, span, ms, costNanos);
      if (subscriptionId === undefined) continue;
      for (const span of SUBSCRIPTION_SPANS) this.#add(`subscription ${subscriptionId}`, span, ms, costNanos);
    }
  }

  window(holder: string, span: WindowSpan): Readonly<Window> | undefined {
    return this.#windows.get(`${holder} ${span}`);
  }

  #add(holder: string, span: WindowSpan, ms: number, nanos: bigint): void {
    const name = `${holder} ${span}`;
    const window = this.#windows.get(name);
    if (window === undefined || ms >= window.startedAtMs + SPAN_MS[span]) {
      this.#windows.set(name, { startedAtMs: ms, usedNanos: nanos });
    } else if (ms > window.startedAtMs - SPAN_MS[span]) {
      window.usedNanos += nanos;
    }
  }
}
