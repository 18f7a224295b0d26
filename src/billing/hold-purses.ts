import type { Purse, PurseBooks, PurseCost } from "#coordination/holds.ts";
import type { ApiKeyId, SubscriptionId, UserId } from "#domain/ids.ts";
import { chargeOf } from "#domain/usage-line.ts";

/** Who a request is charged to. */
export interface Charged {
  readonly userId: UserId;
  readonly apiKeyId: ApiKeyId;
  /** Undefined: the user's balance pays. */
  readonly subscriptionId: SubscriptionId | undefined;
}

/** The purses that a request's cost counts against: what pays for it, and its key. */
export function pursesOf({ userId, apiKeyId, subscriptionId }: Charged): readonly [Purse, Purse] {
  const payer: Purse =
    subscriptionId === undefined
      ? { kind: "user", id: userId }
      : { kind: "subscription", id: subscriptionId };
  return [payer, { kind: "key", id: apiKeyId }];
}

/**
 * What the books say of a purse that these limits bound: what the tightest of them leaves. They have to be all the
 * limits the purse has, and only the purse's own: what a request is exempt from bounds others of the same purse.
 */
export function booksOf(
  limits: Iterable<{ readonly limitNanos: bigint; readonly usedNanos: bigint }>,
  revision: number,
): PurseBooks {
  let availableNanos = Number.POSITIVE_INFINITY;
  for (const { limitNanos, usedNanos } of limits) {
    availableNanos = Math.min(availableNanos, exact(limitNanos - usedNanos));
  }
  return { availableNanos, revision };
}

/** What records in the form of `src/domain/usage-line.ts` cost each purse, together. */
export function costsOfLines(lines: Iterable<string>): readonly PurseCost[] {
  const sums = new Map<string, PurseCost>();
  for (const line of lines) {
    const charge = chargeOf(line);
    const { costNanos } = charge;
    if (costNanos === undefined || costNanos === 0) continue;
    for (const purse of pursesOf(charge)) {
      const name = `${purse.kind} ${purse.id}`;
      sums.set(name, { purse, costNanos: (sums.get(name)?.costNanos ?? 0) + costNanos });
    }
  }
  return [...sums.values()];
}

/** Amounts beyond 2^53 are cut to it: they are more than any request costs. */
function exact(nanos: bigint): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(nanos)));
}
