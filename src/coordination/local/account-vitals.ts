import type {
  AccountVitals,
  CircuitChange,
  CircuitPolicy,
  CircuitState,
} from "#coordination/account-vitals.ts";
import type { AccountFigures, VitalsChange, VitalsNews } from "#coordination/vitals-news.ts";
import { COOLING_REASONS, type CoolingReason } from "#domain/account-event.ts";
import type { SessionLimit } from "#domain/account-limits.ts";
import type { AccountId } from "#domain/ids.ts";
import { ActiveSessions } from "./active-sessions.ts";
import { Circuit } from "./circuit.ts";
import type { KeyHash } from "./key-hash.ts";
import { Measured } from "./measured.ts";
import { RECOVERED, ROW, VITAL } from "./memory-layout.ts";
import type { MemoryMap } from "./memory-map.ts";
import type { VitalsListener } from "./vitals-listener.ts";

const MS_PER_MINUTE = 60_000;

/** Where an account's figures are, and who looks at them. */
export interface VitalsPlace {
  readonly memory: MemoryMap;
  readonly account: AccountId;
  readonly row: number;
  readonly thread: number;
  /** Shared by the accounts of a thread, because they are asked about one conversation after the other. */
  readonly hash: KeyHash;
  readonly listener: VitalsListener;
}

/**
 * One account's figures in shared memory.
 *
 * A getter is one load, or two: an aligned number is always read whole. What reads before it writes does so
 * under the lock of the account's row.
 */
export class LocalAccountVitals implements AccountVitals {
  readonly #cells: Int32Array;
  readonly #numbers: Float64Array;
  readonly #rowAt: number;
  readonly #at: number;
  readonly #place: VitalsPlace;
  readonly #circuit: Circuit;
  readonly #active: ActiveSessions;
  readonly #measured: Measured;

  constructor(place: VitalsPlace) {
    const { layout } = place.memory;
    this.#cells = layout.cells;
    this.#numbers = layout.numbers;
    this.#rowAt = layout.rowAt(place.row);
    this.#at = layout.vitalsAt(place.row);
    this.#place = place;
    this.#circuit = new Circuit(this.#numbers, this.#at, place.thread);
    this.#active = new ActiveSessions(layout, place.row);
    this.#measured = new Measured(this.#numbers, this.#at);
  }

  get inFlight(): number {
    return (this.#cells[this.#rowAt + ROW.held] ?? 0) + this.#read(VITAL.othersInFlight);
  }

  get waiting(): number {
    return (this.#cells[this.#rowAt + ROW.waiting] ?? 0) + this.#read(VITAL.othersWaiting);
  }

  get lastUsedMs(): number {
    return this.#read(VITAL.lastUsedMs);
  }

  get coolingUntilMs(): number {
    return this.#read(VITAL.coolingUntilMs);
  }

  get coolingReason(): CoolingReason | undefined {
    return COOLING_REASONS[this.#read(VITAL.coolingReason) - 1];
  }

  get firstTokenMs(): number {
    return this.#read(VITAL.firstTokenMs);
  }

  get errorRate(): number {
    return this.#read(VITAL.errorRate);
  }

  get samples(): number {
    return this.#read(VITAL.samples);
  }

  headroom(nowMs: number): number {
    return nowMs < this.#read(VITAL.headroomResetMs) ? this.#read(VITAL.headroom) : 1;
  }

  requestsInMinute(nowMs: number): number {
    const minute = Math.floor(nowMs / MS_PER_MINUTE);
    return this.#read(VITAL.minute) === minute ? this.#read(VITAL.requests) : 0;
  }

  circuit(nowMs: number): CircuitState {
    return this.#circuit.state(nowMs);
  }

  isResting(nowMs: number): boolean {
    return this.#read(VITAL.coolingUntilMs) > nowMs || this.#read(VITAL.openUntilMs) > nowMs;
  }

  used(nowMs: number): void {
    this.#write(VITAL.lastUsedMs, nowMs);
  }

  countRequest(nowMs: number): void {
    const minute = Math.floor(nowMs / MS_PER_MINUTE);
    this.#change(() => {
      const counted = this.#read(VITAL.minute);
      // One that read the clock just before the minute ended must not begin the old minute again.
      const isCurrent = counted === minute || counted === minute + 1;
      this.#write(VITAL.requests, isCurrent ? this.#read(VITAL.requests) + 1 : 1);
      if (!isCurrent) this.#write(VITAL.minute, minute);
    });
  }

  cool(untilMs: number, reason: CoolingReason): boolean {
    const isLater = this.#cool(untilMs, reason);
    if (isLater) this.#tell({ kind: "cooled", untilMs, reason });
    return isLater;
  }

  #cool(untilMs: number, reason: CoolingReason): boolean {
    return this.#change(() => {
      if (untilMs <= this.#read(VITAL.coolingUntilMs)) return false;
      this.#write(VITAL.coolingReason, COOLING_REASONS.indexOf(reason) + 1);
      this.#write(VITAL.coolingUntilMs, untilMs);
      return true;
    });
  }

  strike(nowMs: number, forgetMs: number): number {
    return this.#change(() => {
      const isForgotten = nowMs - this.#read(VITAL.struckAtMs) >= forgetMs;
      const strikes = (isForgotten ? 0 : this.#read(VITAL.strikes)) + 1;
      this.#write(VITAL.strikes, strikes);
      this.#write(VITAL.struckAtMs, nowMs);
      return strikes;
    });
  }

  countStall(nowMs: number, windowMs: number, limit: number): number {
    return this.#change(() => {
      const isOver = nowMs - this.#read(VITAL.stallsSinceMs) >= windowMs;
      const stalls = (isOver ? 0 : this.#read(VITAL.stalls)) + 1;
      if (stalls === 1) this.#write(VITAL.stallsSinceMs, nowMs);
      this.#write(VITAL.stalls, stalls >= limit ? 0 : stalls);
      return stalls;
    });
  }

  noteHeadroom(share: number, resetMs: number): void {
    this.#noteHeadroom(share, resetMs);
    this.#place.listener.onNews?.({ kind: "headroom", account: this.#place.account, share, resetMs });
  }

  #noteHeadroom(share: number, resetMs: number): void {
    this.#change(() => {
      const isOlder = resetMs < this.#read(VITAL.headroomResetMs);
      if (isOlder && share >= this.#read(VITAL.headroom)) return;
      this.#write(VITAL.headroom, Math.min(1, Math.max(0, share)));
      this.#write(VITAL.headroomResetMs, resetMs);
    });
  }

  tryProbe(nowMs: number, probeMsMax: number): boolean {
    const state = this.#circuit.state(nowMs);
    if (state !== "half-open") return state === "closed";
    return this.#change(() => this.#circuit.tryProbe(nowMs, probeMsMax));
  }

  succeeded(nowMs: number, firstTokenMs: number): CircuitChange {
    this.#tellProbeEnd();
    const change = this.#change(() => {
      this.#measured.sample(0, firstTokenMs);
      this.#write(VITAL.strikes, 0);
      return this.#circuit.succeeded(nowMs);
    });
    return this.#told(change);
  }

  failed(nowMs: number, policy: CircuitPolicy): CircuitChange {
    this.#tellProbeEnd();
    const change = this.#change(() => {
      this.#measured.sample(1, 0);
      return this.#circuit.failed(nowMs, policy);
    });
    return this.#told(change);
  }

  abstained(): void {
    this.#tellProbeEnd();
    if (this.#circuit.isProber) this.#change(() => this.#circuit.endProbe());
  }

  recover(nowMs: number): void {
    this.#tellProbeEnd();
    this.#change(() => {
      this.#circuit.close(nowMs);
      this.#forgive();
    });
    this.#tell({ kind: "recovered", atMs: this.#circuit.times.atMs });
  }

  /** Takes over what has changed at another node. */
  apply(news: VitalsNews): void {
    if (news.kind === "cooled") this.#cool(news.untilMs, news.reason);
    else if (news.kind === "headroom") this.#noteHeadroom(news.share, news.resetMs);
    else if (news.kind === "circuit") this.#change(() => this.#circuit.adopt(news));
    else if (news.kind === "recovered") this.#change(() => this.#recovered(news.atMs));
  }

  /** Takes over how many requests all nodes have sent in this minute. */
  noteRequests(requests: number, nowMs: number): void {
    const minute = Math.floor(nowMs / MS_PER_MINUTE);
    this.#change(() => {
      const known = this.#read(VITAL.minute) === minute ? this.#read(VITAL.requests) : 0;
      this.#write(VITAL.minute, minute);
      this.#write(VITAL.requests, Math.max(known, requests));
    });
  }

  /** Takes over how many wait at all nodes together. */
  noteWaiting(waiting: number): void {
    this.#write(VITAL.othersWaiting, waiting);
  }

  /** Takes over how all nodes together use the account; what this node holds is part of it. */
  noteFigures({ inFlight, waiting, lastUsedMs, requests }: AccountFigures, nowMs: number): void {
    if (requests > 0) this.noteRequests(requests, nowMs);
    this.#change(() => {
      const own = this.#cells[this.#rowAt + ROW.held] ?? 0;
      this.#write(VITAL.othersInFlight, Math.max(0, inFlight - own));
      this.#write(VITAL.othersWaiting, waiting);
      this.#write(VITAL.lastUsedMs, Math.max(this.#read(VITAL.lastUsedMs), lastUsedMs));
    });
  }

  /** What was noted here since is not taken back, least of all by news of this node's own that come back to it. */
  #recovered(atMs: number): void {
    if (atMs <= this.#read(VITAL.changedAtMs)) return;
    this.#circuit.adopt({ atMs, openUntilMs: 0, openForMs: 0 });
    this.#forgive();
  }

  #forgive(): void {
    for (const vital of RECOVERED) this.#write(vital, 0);
  }

  admitSession(sessionKey: string, limit: SessionLimit, nowMs: number): boolean {
    const hash = this.#place.hash.take(sessionKey);
    return this.#change(() => this.#active.admit(hash, limit, nowMs));
  }

  activeSessions(idleMs: number, nowMs: number): number {
    return this.#active.count(idleMs, nowMs);
  }

  wouldAdmitSession(sessionKey: string, limit: SessionLimit, nowMs: number): boolean {
    return this.#active.wouldAdmit(this.#place.hash.take(sessionKey), limit, nowMs);
  }

  /** The right to probe is also held where other nodes see it, and ends there however the probe has ended. */
  #tellProbeEnd(): void {
    if (this.#circuit.isProber) this.#place.listener.onProbeEnd?.(this.#place.account);
  }

  #told(change: CircuitChange): CircuitChange {
    if (change !== "none") this.#tell({ kind: "circuit", ...this.#circuit.times });
    return change;
  }

  #tell(change: VitalsChange): void {
    this.#place.listener.onNews?.({ account: this.#place.account, ...change });
  }

  #change<T>(work: () => T): T {
    const { memory, row, thread } = this.#place;
    return memory.locked(row, thread, work);
  }

  #read(vital: number): number {
    return this.#numbers[this.#at + vital] ?? 0;
  }

  #write(vital: number, value: number): void {
    this.#numbers[this.#at + vital] = value;
  }
}
