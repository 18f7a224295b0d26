import type { CircuitChange, CircuitPolicy, CircuitState } from "#coordination/account-vitals.ts";
import type { CircuitTimes } from "#coordination/vitals-news.ts";
import { VITAL } from "./memory-layout.ts";

/**
 * The circuit of one account, in shared memory. Only reading its state needs no lock on the account's row.
 *
 * It is closed while `openUntilMs` is 0, open until that moment, half-open from then on. While it is open or
 * half-open, only the failure of the probe counts: the others were sent before it opened.
 */
export class Circuit {
  readonly #numbers: Float64Array;
  readonly #at: number;
  /** Who this thread is as a prober. */
  readonly #prober: number;

  constructor(numbers: Float64Array, at: number, thread: number) {
    this.#numbers = numbers;
    this.#at = at;
    this.#prober = thread + 1;
  }

  state(nowMs: number): CircuitState {
    const openUntilMs = this.#read("openUntilMs");
    if (openUntilMs === 0) return "closed";
    return nowMs < openUntilMs ? "open" : "half-open";
  }

  /** Whether this thread took the right to probe last, even if it has lapsed. */
  get isProber(): boolean {
    return this.#read("prober") === this.#prober;
  }

  tryProbe(nowMs: number, probeMsMax: number): boolean {
    const state = this.state(nowMs);
    if (state !== "half-open") return state === "closed";
    if (nowMs < this.#read("probeUntilMs")) return false;
    this.#write("prober", this.#prober);
    this.#write("probeUntilMs", nowMs + probeMsMax);
    return true;
  }

  succeeded(nowMs: number): CircuitChange {
    this.#write("failures", 0);
    if (this.#read("openUntilMs") === 0) return "none";
    this.close(nowMs);
    return "closed";
  }

  failed(nowMs: number, policy: CircuitPolicy): CircuitChange {
    if (this.#read("openUntilMs") !== 0) return this.#probeFailed(nowMs, policy);
    const failures = this.#read("failures") + 1;
    this.#write("failures", failures);
    if (failures < policy.failuresMax) return "none";
    this.#open(nowMs, Math.min(policy.openMs, policy.openMsMax));
    return "opened";
  }

  /** How it has turned last. */
  get times(): CircuitTimes {
    return {
      atMs: this.#read("changedAtMs"),
      openUntilMs: this.#read("openUntilMs"),
      openForMs: this.#read("openForMs"),
    };
  }

  /**
   * Takes over how another node has found it; whoever probes goes on. What is older than the last turn here is
   * left alone: news come back to whoever told them, by which time the circuit may have turned again.
   */
  adopt({ atMs, openUntilMs, openForMs }: CircuitTimes): void {
    const changedAtMs = this.#read("changedAtMs");
    if (atMs < changedAtMs || (atMs === changedAtMs && openUntilMs <= this.#read("openUntilMs"))) return;
    if (openUntilMs === 0) this.#shut();
    this.#write("openForMs", openForMs);
    this.#write("openUntilMs", openUntilMs);
    this.#write("changedAtMs", atMs);
  }

  /** Gives the right to probe back if this thread has it. */
  endProbe(): void {
    if (!this.isProber) return;
    this.#write("prober", 0);
    this.#write("probeUntilMs", 0);
  }

  /** Closes the circuit and forgets the failures. */
  close(nowMs: number): void {
    this.#shut();
    this.#turned(nowMs);
  }

  #shut(): void {
    this.#write("openUntilMs", 0);
    this.#write("openForMs", 0);
    this.#write("failures", 0);
    this.#write("prober", 0);
    this.#write("probeUntilMs", 0);
  }

  #probeFailed(nowMs: number, policy: CircuitPolicy): CircuitChange {
    if (!this.isProber) return "none";
    this.#open(nowMs, Math.min(this.#read("openForMs") * 2, policy.openMsMax));
    return "opened";
  }

  #open(nowMs: number, openForMs: number): void {
    this.#write("prober", 0);
    this.#write("probeUntilMs", 0);
    this.#write("openForMs", openForMs);
    this.#write("openUntilMs", nowMs + openForMs);
    this.#turned(nowMs);
  }

  /** Later than every turn that is known here, though a clock may be behind another node's. */
  #turned(nowMs: number): void {
    this.#write("changedAtMs", Math.max(nowMs, this.#read("changedAtMs") + 1));
  }

  #read(field: keyof typeof VITAL): number {
    return this.#numbers[this.#at + VITAL[field]] ?? 0;
  }

  #write(field: keyof typeof VITAL, value: number): void {
    this.#numbers[this.#at + VITAL[field]] = value;
  }
}
