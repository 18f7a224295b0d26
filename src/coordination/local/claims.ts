import type {
  AccountClaim,
  AccountClaims,
  ClaimAnswer,
  ClaimableAccount,
  ClaimRefusal,
} from "#coordination/account-claims.ts";
import type { Lease } from "#kernel/lease.ts";
import type { LocalSessions } from "./sessions.ts";
import type { LocalSlots } from "./slots.ts";
import type { LocalVitals } from "./vitals.ts";

/** A probe of a half-open circuit that has not ended after this is given up, in milliseconds. */
const PROBE_MS_MAX = 60_000;

/** Claims in shared memory. They are answered at once. */
export class LocalClaims implements AccountClaims {
  readonly accountsMax = 1;
  readonly #slots: LocalSlots;
  readonly #vitals: LocalVitals;
  readonly #sessions: LocalSessions;

  constructor(slots: LocalSlots, vitals: LocalVitals, sessions: LocalSessions) {
    this.#slots = slots;
    this.#vitals = vitals;
    this.#sessions = sessions;
  }

  claim(claim: AccountClaim): ClaimAnswer {
    const refusals: ClaimRefusal[] = [];
    let index = -1;
    for (const account of claim.accounts) {
      index++;
      const lease = claim.lease ?? this.#slotOf(account);
      const isProbe = lease === undefined ? "full" : this.#enter(account, claim);
      if (lease !== undefined && typeof isProbe === "boolean") {
        return { granted: true, index, lease, isProbe, refusals };
      }
      if (claim.lease === undefined) lease?.release();
      if (typeof isProbe === "string") refusals.push(isProbe);
    }
    return { granted: false, refusals };
  }

  #slotOf({ id, concurrency }: ClaimableAccount): Lease | undefined {
    return this.#slots.tryAcquire({ kind: "account", id }, concurrency);
  }

  /** Whether the request is a probe; else what keeps it out. */
  #enter(account: ClaimableAccount, { session, binding, nowMs }: AccountClaim): boolean | ClaimRefusal {
    const { id, requestsMax, sessions } = account;
    const vitals = this.#vitals.of(id);
    if (requestsMax !== undefined && vitals.requestsInMinute(nowMs) >= requestsMax) return "requests";
    const isProbe = vitals.circuit(nowMs) === "half-open";
    if (!vitals.tryProbe(nowMs, PROBE_MS_MAX)) return "circuit";
    if (sessions !== undefined && !vitals.admitSession(session.sessionKey, sessions, nowMs)) {
      if (isProbe) vitals.abstained();
      return "sessions";
    }
    if (requestsMax !== undefined) vitals.countRequest(nowMs);
    vitals.used(nowMs);
    const staysAt = binding?.staysAt;
    if (binding !== undefined && (staysAt === undefined || staysAt === id)) {
      this.#sessions.bind(session, id, binding.ttlMs);
    }
    return isProbe;
  }
}
