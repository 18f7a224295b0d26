import type { AccountId, GroupId } from "#domain/ids.ts";

/** A conversation within a group. The key is namespaced by API key already. */
export interface Session {
  readonly groupId: GroupId;
  readonly sessionKey: string;
}

/** Which bindings to drop; every field that is given must fit. Empty: all of them. */
export interface BindingFilter {
  readonly groupId?: GroupId;
  readonly accountId?: AccountId;
}

/**
 * Remembers which account serves a conversation.
 *
 * Bounded: where room runs out, a binding that has expired gives way, else one that was bound long ago; a backend
 * may see to that in parts of its table. Losing one costs a conversation its cache at the upstream, never its
 * answer.
 */
export interface SessionBindings {
  /** The account a conversation is bound to; undefined when it is not, or no longer. */
  find(session: Session): AccountId | undefined | Promise<AccountId | undefined>;
  /** Binds, or binds anew, for `ttlMs` from now. */
  bind(session: Session, account: AccountId, ttlMs: number): void;
  /** Drops the binding if it is still to this account. */
  unbind(session: Session, account: AccountId): void;
  /** Drops all that fit and says how many. */
  flush(filter: BindingFilter): number | Promise<number>;
}
