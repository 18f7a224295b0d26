import type { VitalsBoard } from "#coordination/account-vitals.ts";
import type { AccountFigures, VitalsNews } from "#coordination/vitals-news.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Clock } from "#kernel/clock.ts";
import { LocalAccountVitals } from "./account-vitals.ts";
import { KeyHash } from "./key-hash.ts";
import { HOLDER_KIND, MemoryMap } from "./memory-map.ts";
import { ModelRests } from "./model-rests.ts";
import type { VitalsListener } from "./vitals-listener.ts";

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
export class LocalVitals implements VitalsBoard, VitalsListener {
  /** Told of every change that this thread makes and that other nodes should know. */
  onNews: ((news: VitalsNews) => void) | undefined;
  /** Told when this thread gives back the right to probe an account. */
  onProbeEnd: ((account: AccountId) => void) | undefined;
  readonly #memory: MemoryMap;
  readonly #thread: number;
  readonly #rests: ModelRests;
  readonly #hash = new KeyHash();
  /** As many as there are rows at most. */
  readonly #shared = new Map<AccountId, LocalAccountVitals>();
  readonly #private = new Map<AccountId, LocalAccountVitals>();

  constructor(memory: MemoryMap, thread: number, clock: Clock) {
    this.#memory = memory;
    this.#thread = thread;
    this.#rests = new ModelRests(memory, thread, clock);
  }

  of(account: AccountId): LocalAccountVitals {
    return this.#shared.get(account) ?? this.#private.get(account) ?? this.#open(account);
  }

  coolModel(account: AccountId, model: string, untilMs: number): void {
    this.#rests.add(account, model, untilMs);
    this.onNews?.({ kind: "model-cooled", account, model, untilMs });
  }

  modelCoolingUntilMs(account: AccountId, model: string): number {
    return this.#rests.untilMs(account, model);
  }

  recoverModels(account: AccountId): void {
    this.#rests.end(account);
    this.onNews?.({ kind: "models-recovered", account });
  }

  /** Takes over what has changed at another node. The same news twice change nothing. */
  apply(news: VitalsNews): void {
    if (news.kind === "model-cooled") this.#rests.add(news.account, news.model, news.untilMs);
    else if (news.kind === "models-recovered") this.#rests.end(news.account);
    else this.of(news.account).apply(news);
  }

  /** How many requests all nodes have sent in this minute. */
  noteRequests(account: AccountId, requests: number, nowMs: number): void {
    this.of(account).noteRequests(requests, nowMs);
  }

  /** How many wait for an account at all nodes together. */
  noteWaiting(account: AccountId, waiting: number): void {
    this.of(account).noteWaiting(waiting);
  }

  /** How all nodes together use an account. */
  noteFigures(figures: AccountFigures, nowMs: number): void {
    this.of(figures.account).noteFigures(figures, nowMs);
  }

  #open(account: AccountId): LocalAccountVitals {
    const row = this.#memory.rowOf(HOLDER_KIND.account, account, this.#thread);
    if (row === undefined) return this.#openPrivate(account);
    const vitals = this.#at(account, this.#memory, row);
    this.#shared.set(account, vitals);
    return vitals;
  }

  /** No row is left, so the account cannot be given a slot either: its figures only have to be sane. */
  #openPrivate(account: AccountId): LocalAccountVitals {
    const [oldest] = this.#private.keys();
    if (oldest !== undefined && this.#private.size >= PRIVATE_MAX) this.#private.delete(oldest);
    const vitals = this.#at(account, MemoryMap.create(PRIVATE_SIZE), 0);
    this.#private.set(account, vitals);
    return vitals;
  }

  #at(account: AccountId, memory: MemoryMap, row: number): LocalAccountVitals {
    return new LocalAccountVitals({
      memory,
      account,
      row,
      thread: this.#thread,
      hash: this.#hash,
      listener: this,
    });
  }
}
