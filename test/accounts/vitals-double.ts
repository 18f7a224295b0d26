import type { AccountVitals, CircuitPolicy, VitalsBoard } from "#coordination/account-vitals.ts";
import type { CoolingReason } from "#domain/account-event.ts";
import type { AccountId } from "#domain/ids.ts";

/** One account's live figures in plain fields, as far as outcomes change them. */
class VitalsDouble {
  coolingUntilMs = 0;
  coolingReason: CoolingReason | undefined;
  noted: { share: number; resetMs: number }[] = [];
  failures = 0;
  isOpen = false;
  strikes = 0;
  stalls = 0;
  firstTokenMs = 0;

  cool(untilMs: number, reason: CoolingReason): boolean {
    if (untilMs <= this.coolingUntilMs) return false;
    this.coolingUntilMs = untilMs;
    this.coolingReason = reason;
    return true;
  }

  circuit(): "closed" | "open" {
    return this.isOpen ? "open" : "closed";
  }

  strike(): number {
    return ++this.strikes;
  }

  countStall(_nowMs: number, _windowMs: number, limit: number): number {
    const stalls = ++this.stalls;
    if (stalls >= limit) this.stalls = 0;
    return stalls;
  }

  noteHeadroom(share: number, resetMs: number): void {
    this.noted.push({ share, resetMs });
  }

  succeeded(_nowMs: number, firstTokenMs: number): "closed" | "none" {
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.failures = 0;
    this.strikes = 0;
    this.firstTokenMs = firstTokenMs;
    return wasOpen ? "closed" : "none";
  }

  failed(_nowMs: number, { failuresMax }: CircuitPolicy): "opened" | "none" {
    this.failures++;
    const opens = !this.isOpen && this.failures >= failuresMax;
    if (opens) this.isOpen = true;
    return opens ? "opened" : "none";
  }
}

/** A board of such figures, in this thread only. */
export class BoardDouble implements VitalsBoard {
  readonly #accounts = new Map<AccountId, VitalsDouble>();
  readonly #models = new Map<string, number>();

  at(account: AccountId): VitalsDouble {
    const known = this.#accounts.get(account) ?? new VitalsDouble();
    this.#accounts.set(account, known);
    return known;
  }

  of(account: AccountId): AccountVitals {
    return this.at(account) as unknown as AccountVitals;
  }

  coolModel(account: AccountId, model: string, untilMs: number): void {
    this.#models.set(`${account} ${model}`, untilMs);
  }

  modelCoolingUntilMs(account: AccountId, model: string): number {
    return this.#models.get(`${account} ${model}`) ?? 0;
  }

  recoverModels(): void {
    this.#models.clear();
  }
}
