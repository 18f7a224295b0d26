import type { AccountId } from "#domain/ids.ts";
import type { Clock } from "#kernel/clock.ts";
import { ExpiringTable, type TableKey } from "./expiring-table.ts";
import { KeyHash } from "./key-hash.ts";
import type { MemoryMap } from "./memory-map.ts";

/** A rest has no value besides its end, and a kept value must not be 0. */
const RESTS = 1;

/** Rests of accounts for single models, in shared memory. */
export class ModelRests {
  readonly #table: ExpiringTable;
  readonly #hash = new KeyHash();

  constructor({ layout }: MemoryMap, thread: number, clock: Clock) {
    this.#table = new ExpiringTable(layout, layout.modelRests, thread, clock);
  }

  /** Rests an account for a model; a sooner end changes nothing. */
  add(account: AccountId, model: string, untilMs: number): void {
    this.#table.extend(this.#keyOf(account, model), { value: RESTS, expiresMs: untilMs });
  }

  /** When a rest ends, 0 when there is none. */
  untilMs(account: AccountId, model: string): number {
    return this.#table.find(this.#keyOf(account, model))?.expiresMs ?? 0;
  }

  /** Ends all rests of an account. */
  end(account: AccountId): void {
    this.#table.removeWhere((scope) => scope === account);
  }

  #keyOf(account: AccountId, model: string): TableKey {
    return { hash: this.#hash.take(`${account}:${model}`), scope: account };
  }
}
