import type { BookedQuota, BookedWindow } from "#domain/booked.ts";
import type { ApiKeyId, SubscriptionId } from "#domain/ids.ts";
import type { KeySpan, SpendWindow, SubscriptionSpan, WindowSpan } from "#domain/spend-window.ts";

/** What a holder has spent, as of a revision. */
export interface Spending {
  readonly revision: number;
  readonly quotaUsedNanos: bigint;
  readonly windows: Readonly<Partial<Record<WindowSpan, SpendWindow | undefined>>>;
}

const NOTHING: Spending = { revision: 0, quotaUsedNanos: 0n, windows: {} };

/**
 * What API keys and subscriptions have spent, as this thread knows it: booked costs only, which the ledger
 * announces within a fraction of a second. News that is older than what is known changes nothing, in whatever
 * order it comes. Holds one entry per key and subscription that exists.
 */
export class SpendBook {
  readonly #keys = new Map<ApiKeyId, Spending>();
  readonly #subscriptions = new Map<SubscriptionId, Spending>();

  /** Takes over what a key has spent; undefined: it was deleted. */
  putKey(id: ApiKeyId, spending: Spending | undefined): void {
    put(this.#keys, id, spending);
  }

  /** Takes over what a subscription has spent; undefined: it was deleted or cancelled. */
  putSubscription(id: SubscriptionId, spending: Spending | undefined): void {
    put(this.#subscriptions, id, spending);
  }

  /** Takes over what a booking changed. Holders that are not known here were deleted. */
  apply(quotas: readonly BookedQuota[], windows: readonly BookedWindow[]): void {
    for (const { apiKeyId, usedNanos, revision } of quotas) {
      change(this.#keys, apiKeyId, { revision, quotaUsedNanos: usedNanos });
    }
    for (const window of windows) {
      if (window.kind === "key") changeWindow(this.#keys, window.id, window);
      else changeWindow(this.#subscriptions, window.id, window);
    }
  }

  /** As of which revision a key's spending is known. */
  keyRevision(id: ApiKeyId): number {
    return this.#keys.get(id)?.revision ?? 0;
  }

  /** As of which revision a subscription's spending is known. */
  subscriptionRevision(id: SubscriptionId): number {
    return this.#subscriptions.get(id)?.revision ?? 0;
  }

  /** What a key has cost in all, in nano-dollars. */
  quotaUsedNanos(id: ApiKeyId): bigint {
    return this.#keys.get(id)?.quotaUsedNanos ?? 0n;
  }

  /** A key's latest window of a span, ended or not; undefined before its first cost. */
  keyWindow(id: ApiKeyId, span: KeySpan): SpendWindow | undefined {
    return this.#keys.get(id)?.windows[span];
  }

  /** A subscription's latest window of a span, ended or not; undefined before its first cost. */
  subscriptionWindow(id: SubscriptionId, span: SubscriptionSpan): SpendWindow | undefined {
    return this.#subscriptions.get(id)?.windows[span];
  }
}

function put<Id>(spendings: Map<Id, Spending>, id: Id, spending: Spending | undefined): void {
  if (spending === undefined) {
    spendings.delete(id);
    return;
  }
  const known = spendings.get(id);
  if (known === undefined || known.revision <= spending.revision) spendings.set(id, spending);
}

function change<Id>(
  spendings: Map<Id, Spending>,
  id: Id,
  news: Partial<Spending> & Pick<Spending, "revision">,
): void {
  const known = spendings.get(id);
  if (known !== undefined && known.revision <= news.revision) spendings.set(id, { ...known, ...news });
}

function changeWindow<Id>(spendings: Map<Id, Spending>, id: Id, window: BookedWindow): void {
  const { revision, span, startedAtMs, usedNanos } = window;
  const { windows } = spendings.get(id) ?? NOTHING;
  change(spendings, id, { revision, windows: { ...windows, [span]: { startedAtMs, usedNanos } } });
}
