import type { AccountVitals, VitalsBoard } from "#coordination/account-vitals.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Clock } from "#kernel/clock.ts";
import { LocalAccountVitals } from "./account-vitals.ts";
import { KeyHash } from "./key-hash.ts";
import { HOLDER_KIND, MemoryMap } from "./memory-map.ts";
import { ModelRests } from "./model-rests.ts";

/** Accounts beyond the shared rows whose figures a thread keeps for itself; the oldest is forgotten first. */
const PRIVATE_MAX = 1_024;
const PRIVATE_SIZE = {
  threads: 1,
  rows: 1,
  entriesPerThread: 0,
  bindings: 0,
  modelRests: 0,
  activeBlocks: 1,
} as const;

/** The live figures of accounts in shared memory: every thread of this process sees one truth. */
export class LocalVitals implements VitalsBoard {
  readonly #memory: MemoryMap;
  readonly #thread: number;
  readonly #rests: ModelRests;
  readonly #hash = new KeyHash();
  /** As many as there are rows at most. */
  readonly #shared = new Map<AccountId, AccountVitals>();
  readonly #private = new Map<AccountId, AccountVitals>();

  constructor(memory: MemoryMap, thread: number, clock: Clock) {
    this.#memory = memory;
    this.#thread = thread;
    this.#rests = new ModelRests(memory, thread, clock);
  }

  of(account: AccountId): AccountVitals {
    return this.#shared.get(account) ?? this.#private.get(account) ?? this.#open(account);
  }

  coolModel(account: AccountId, model: string, untilMs: number): void {
    this.#rests.add(account, model, untilMs);
  }

  modelCoolingUntilMs(account: AccountId, model: string): number {
    return this.#rests.untilMs(account, model);
  }

  recoverModels(account: AccountId): void {
    this.#rests.end(account);
  }

  #open(account: AccountId): AccountVitals {
    const row = this.#memory.rowOf(HOLDER_KIND.account, account, this.#thread);
    if (row === undefined) return this.#openPrivate(account);
    const vitals = this.#at(this.#memory, row);
    this.#shared.set(account, vitals);
    return vitals;
  }

  /** No row is left, so the account cannot be given a slot either: its figures only have to be sane. */
  #openPrivate(account: AccountId): AccountVitals {
    const [oldest] = this.#private.keys();
    if (oldest !== undefined && this.#private.size >= PRIVATE_MAX) this.#private.delete(oldest);
    const vitals = this.#at(MemoryMap.create(PRIVATE_SIZE), 0);
    this.#private.set(account, vitals);
    return vitals;
  }

  #at(memory: MemoryMap, row: number): AccountVitals {
    return new LocalAccountVitals({ memory, row, thread: this.#thread, hash: this.#hash });
  }
}
