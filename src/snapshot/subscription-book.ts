import type { GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import type { Subscription } from "#domain/subscription.ts";

/** The subscriptions that are not cancelled, of which a user has at most one per group. */
export class SubscriptionBook {
  readonly #byId = new Map<SubscriptionId, Subscription>();
  readonly #byUser = new Map<UserId, Map<GroupId, Subscription>>();

  /** Takes over how a subscription is now; undefined: it was deleted or cancelled. */
  put(id: SubscriptionId, subscription: Subscription | undefined): void {
    this.#remove(id);
    if (subscription === undefined) return;
    this.#byId.set(id, subscription);
    const ofUser = this.#byUser.get(subscription.userId) ?? new Map<GroupId, Subscription>();
    ofUser.set(subscription.groupId, subscription);
    this.#byUser.set(subscription.userId, ofUser);
  }

  get(id: SubscriptionId): Subscription | undefined {
    return this.#byId.get(id);
  }

  /** A user's subscription in a group. */
  of(userId: UserId, groupId: GroupId): Subscription | undefined {
    return this.#byUser.get(userId)?.get(groupId);
  }

  /** Forgets a user who was deleted, and gives the subscriptions that went with them. */
  removeUser(userId: UserId): readonly SubscriptionId[] {
    const ids = [...(this.#byUser.get(userId)?.values() ?? [])].map(({ id }) => id);
    for (const id of ids) this.#remove(id);
    return ids;
  }

  #remove(id: SubscriptionId): void {
    const known = this.#byId.get(id);
    if (known === undefined) return;
    this.#byId.delete(id);
    const ofUser = this.#byUser.get(known.userId);
    // Where news of a new subscription came before news of the old one's end, the new one stays.
    if (ofUser?.get(known.groupId)?.id === id) ofUser.delete(known.groupId);
    if (ofUser?.size === 0) this.#byUser.delete(known.userId);
  }
}
