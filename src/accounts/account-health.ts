import type {
  AccountVitals,
  CircuitChange,
  CircuitPolicy,
  VitalsBoard,
} from "#coordination/account-vitals.ts";
import type { Account } from "#domain/account.ts";
import type { AccountEvent, CoolingReason } from "#domain/account-event.ts";
import type { RuntimeSettings } from "#domain/settings.ts";
import type { Clock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import { NO_LIMITS, type RateLimits } from "#providers/provider.ts";
import { providerFor } from "#providers/registry.ts";
import { forgetStrikesMs, minutesUntilMs } from "./cooldown.ts";
import { type Action, judge, type Verdict } from "./outcome.ts";
import { faultWords } from "./upstream-words.ts";

/**
 * How long an account that has failed for good rests at once, in milliseconds: until what was noted has been
 * written and every thread has learnt of it.
 */
const FAIL_REST_MS = 60_000;
/** A rest that grows by less than this is not worth another note, in milliseconds. */
const NOTED_GROWTH_MS = 1_000;

const MS_PER_SECOND = 1_000;
const MS_PER_MINUTE = 60_000;

/** Faults that mean the upstream fell silent. */
const SILENCES: ReadonlySet<FaultCode> = new Set(["upstream.timeout", "upstream.stalled"]);

/** Which request told of the account's state. */
export interface RequestMark {
  readonly requestId: string;
  /** As it was asked for. */
  readonly model: string;
}

/** What a failed attempt was made for. */
export interface AttemptMark extends RequestMark {
  /** The group has no other account that could serve the model. */
  readonly isOnlyAccount: boolean;
  /** The attempt was to find out whether the account has recovered. */
  readonly isProbe: boolean;
  /** No other account has failed this request: one that crashes every upstream must not open every circuit. */
  readonly isFirstFailure: boolean;
  /** What was sent. */
  readonly body: Uint8Array;
}

/** Whom an account's health concerns. */
export interface HealthParts {
  readonly vitals: VitalsBoard;
  readonly settings: () => RuntimeSettings;
  readonly clock: Pick<Clock, "now">;
  /** Told of each change of an account's state; `failed` is to be made lasting by whoever is told. */
  readonly note: (event: AccountEvent) => void;
}

type Told = Pick<AccountEvent, "kind" | "reason"> & Partial<AccountEvent>;

/**
 * Turns what upstreams answer into the state of their accounts: rests, circuits and failures, at once for every
 * thread. Each change is noted once, with its reason, however many requests find it.
 *
 * Gives no right to probe back: an attempt that says nothing about the account has to be `abstained` by whoever
 * made it.
 */
export class AccountHealth {
  readonly #parts: HealthParts;

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  /** An answer has begun, of whatever kind: remembers what is left of the account's rate limits. */
  responded({ id }: Pick<Account, "id">, limits: RateLimits): void {
    if (limits === NO_LIMITS) return;
    this.#parts.vitals.of(id).noteHeadroom(limits.headroom, limits.headroomResetMs);
  }

  /** An attempt went well. `firstTokenMs` 0: not measured. */
  succeeded({ id }: Pick<Account, "id">, firstTokenMs: number): void {
    const change = this.#parts.vitals.of(id).succeeded(this.#parts.clock.now(), firstTokenMs);
    if (change === "closed") this.#note(id, { kind: "circuit_closed", reason: "A probe went well" });
  }

  /** An attempt failed before anything of its answer went to the client. Gives what was made of it. */
  failed(account: Account, fault: Fault, mark: AttemptMark): Verdict {
    const { clock, settings } = this.#parts;
    const vitals = this.#parts.vitals.of(account.id);
    const nowMs = clock.now();
    const verdict = judge(fault, {
      account,
      limits: limitsOf(account, fault, nowMs),
      settings: settings(),
      isOnlyAccount: mark.isOnlyAccount,
      isQuoted: (words) => new TextDecoder().decode(mark.body).toLowerCase().includes(words),
      nowMs,
      countStrike: () => strike(vitals, settings(), nowMs),
    });
    if (verdict.action !== undefined) this.#act(account, verdict.action, fault, mark);
    const isCounted = verdict.countsAsFailure && (mark.isFirstFailure || mark.isProbe);
    if (isCounted) this.#countFailure(account, fault, mark, mark.isProbe);
    if (fault.upstream === undefined && SILENCES.has(fault.code)) this.#countStall(account, fault, mark);
    return { ...verdict, countsAsFailure: isCounted };
  }

  /** An answer that was under way fell silent. */
  stalled(account: Account, mark: RequestMark): void {
    const fault = new Fault("upstream.stalled");
    this.#countFailure(account, fault, mark);
    this.#countStall(account, fault, mark);
  }

  /** An answer that was under way broke off. */
  broke(account: Account, mark: RequestMark): void {
    this.#countFailure(account, new Fault("upstream.broken"), mark);
  }

  #act(account: Account, action: Action, fault: Fault, mark: RequestMark): void {
    if (action.kind === "cool-model") this.#coolModel(account, action, fault, mark);
    else if (action.kind === "cool") this.#cool(account, action, fault, mark);
    else this.#fail(account, action, fault, mark);
  }

  #cool(account: Account, action: Action & { kind: "cool" }, fault: Fault, mark: RequestMark): void {
    const { cooling, untilMs, why } = action;
    const vitals = this.#parts.vitals.of(account.id);
    const beforeMs = vitals.coolingUntilMs;
    if (!vitals.cool(untilMs, cooling) || !this.#isNews(beforeMs, untilMs)) return;
    this.#note(account.id, { kind: "cooled", reason: why, cooling, untilMs, ...told(fault, mark) });
  }

  #coolModel(
    account: Account,
    action: Action & { kind: "cool-model" },
    fault: Fault,
    mark: RequestMark,
  ): void {
    const { vitals } = this.#parts;
    const { untilMs, why } = action;
    const { model } = mark;
    const beforeMs = vitals.modelCoolingUntilMs(account.id, model);
    if (untilMs <= beforeMs) return;
    vitals.coolModel(account.id, model, untilMs);
    if (!this.#isNews(beforeMs, untilMs)) return;
    this.#note(account.id, { kind: "model_cooled", reason: why, model, untilMs, ...told(fault, mark) });
  }

  /** While it rests for the same reason, somebody has noted the failure already. */
  #fail(
    account: Account,
    { cooling, why }: Action & { kind: "fail" },
    fault: Fault,
    mark: RequestMark,
  ): void {
    const vitals = this.#parts.vitals.of(account.id);
    const nowMs = this.#parts.clock.now();
    const isKnown = vitals.coolingUntilMs > nowMs && vitals.coolingReason === cooling;
    vitals.cool(nowMs + FAIL_REST_MS, cooling);
    if (!isKnown) this.#note(account.id, { kind: "failed", reason: why, cooling, ...told(fault, mark) });
  }

  /** While a probe is to find out about the account, what others come back with is of the time before. */
  #countFailure(account: Account, fault: Fault, mark: RequestMark, isProbe = false): void {
    const { clock, settings, vitals } = this.#parts;
    if (!isProbe && vitals.of(account.id).circuit(clock.now()) === "half-open") return;
    const policy = circuitPolicy(settings());
    const change: CircuitChange = vitals.of(account.id).failed(clock.now(), policy);
    if (change !== "opened") return;
    const reason = `Too many failures in a row, the last: ${faultWords(fault)}`;
    this.#note(account.id, { kind: "circuit_opened", reason, ...told(fault, mark) });
  }

  #countStall(account: Account, fault: Fault, mark: RequestMark): void {
    const {
      stream_timeout_action: action,
      stream_timeout_count: limit,
      stream_timeout_minutes: minutes,
      stream_timeout_window_minutes: windowMinutes,
    } = this.#parts.settings();
    if (action === "none") return;
    const nowMs = this.#parts.clock.now();
    const stalls = this.#parts.vitals.of(account.id).countStall(nowMs, windowMinutes * MS_PER_MINUTE, limit);
    if (stalls < limit) return;
    const cooling: CoolingReason = "stream_timeouts";
    const why = `${stalls} answers stopped coming within ${windowMinutes} minutes`;
    if (action === "error") this.#fail(account, { kind: "fail", cooling, why }, fault, mark);
    else {
      const untilMs = minutesUntilMs(nowMs, minutes);
      this.#cool(account, { kind: "cool", cooling, untilMs, why }, fault, mark);
    }
  }

  #isNews(beforeMs: number, untilMs: number): boolean {
    return beforeMs <= this.#parts.clock.now() || untilMs - beforeMs > NOTED_GROWTH_MS;
  }

  #note(accountId: Account["id"], event: Told): void {
    this.#parts.note({
      accountId,
      cooling: undefined,
      model: undefined,
      untilMs: undefined,
      status: undefined,
      requestId: undefined,
      atMs: this.#parts.clock.now(),
      ...event,
    });
  }
}

function told(fault: Fault, { requestId }: RequestMark): Pick<AccountEvent, "status" | "requestId"> {
  return { status: fault.upstream?.status, requestId };
}

/** The limits of an answer that refuses for them. */
function limitsOf({ platform }: Account, { code, upstream }: Fault, nowMs: number): RateLimits {
  if (upstream === undefined || code !== "upstream.rate_limited") return NO_LIMITS;
  return providerFor(platform)?.readLimits(upstream.headers, nowMs) ?? NO_LIMITS;
}

/** A refusal that comes while the account rests was under way before, and is no new one. */
function strike(vitals: AccountVitals, settings: RuntimeSettings, nowMs: number): number {
  return vitals.coolingUntilMs > nowMs ? 0 : vitals.strike(nowMs, forgetStrikesMs(settings));
}

function circuitPolicy(settings: RuntimeSettings): CircuitPolicy {
  return {
    failuresMax: settings.circuit_failures,
    openMs: settings.circuit_open_seconds * MS_PER_SECOND,
    openMsMax: settings.circuit_open_seconds_max * MS_PER_SECOND,
  };
}
