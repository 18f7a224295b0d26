import type { BindingFilter, Session, SessionBindings } from "#coordination/session-bindings.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Clock } from "#kernel/clock.ts";
import { ExpiringTable, type TableKey } from "./expiring-table.ts";
import { KeyHash } from "./key-hash.ts";
import type { MemoryMap } from "./memory-map.ts";

/** Bindings of conversations in shared memory: every thread of this process sees one truth. */
export class LocalSessions implements SessionBindings {
  readonly #table: ExpiringTable;
  readonly #clock: Clock;
  readonly #hash = new KeyHash();

  constructor({ layout }: MemoryMap, thread: number, clock: Clock) {
    this.#table = new ExpiringTable(layout, layout.bindings, thread, clock);
    this.#clock = clock;
  }

  find(session: Session): AccountId | undefined {
    const bound = this.#table.find(this.#keyOf(session));
    if (bound === undefined || bound.expiresMs <= this.#clock.now()) return undefined;
    return bound.value as AccountId;
  }

  bind(session: Session, account: AccountId, ttlMs: number): void {
    this.#table.put(this.#keyOf(session), { value: account, expiresMs: this.#clock.now() + ttlMs });
  }

  unbind(session: Session, account: AccountId): void {
    this.#table.remove(this.#keyOf(session), account);
  }

  flush({ groupId, accountId }: BindingFilter): number {
    return this.#table.removeWhere(
      (group, account) =>
        (groupId === undefined || group === groupId) && (accountId === undefined || account === accountId),
    );
  }

  #keyOf({ groupId, sessionKey }: Session): TableKey {
    return { hash: this.#hash.take(`${groupId}:${sessionKey}`), scope: groupId };
  }
}
