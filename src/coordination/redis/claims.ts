import type {
  AccountClaim,
  AccountClaims,
  ClaimAnswer,
  ClaimableAccount,
  ClaimRefusal,
} from "#coordination/account-claims.ts";
import type { Lease } from "#kernel/lease.ts";
import type { Argument, RedisLink } from "./link.ts";
import type { Membership } from "./membership.ts";
import type { NodeVitals } from "./node.ts";
import type { RedisSessions } from "./sessions.ts";
import { type RedisSlots, shareOf } from "./slots.ts";

/** Accounts that are named in one claim: the first is nearly always free, and more would only be looked at in vain. */
const ACCOUNTS_MAX = 4;
/** A probe of a half-open circuit that has not ended after this is given up, in milliseconds. */
const PROBE_MS_MAX = 60_000;

/** What claims at Redis work with. */
export interface RedisClaimsParts {
  readonly link: RedisLink;
  readonly membership: Membership;
  readonly slots: RedisSlots;
  readonly sessions: RedisSessions;
  readonly vitals: NodeVitals;
  /** This node's own, for while Redis cannot be asked. */
  readonly local: AccountClaims;
  readonly nodes: () => number;
}

/**
 * Claims in Redis: one question, whatever they comprise. While Redis cannot be asked, this node takes from its own
 * memory, within its share of every limit.
 */
export class RedisClaims implements AccountClaims {
  readonly accountsMax = ACCOUNTS_MAX;
  readonly #parts: RedisClaimsParts;

  constructor(parts: RedisClaimsParts) {
    this.#parts = parts;
  }

  async claim(claim: AccountClaim): Promise<ClaimAnswer> {
    const { link, membership, vitals, slots } = this.#parts;
    const [best] = claim.accounts;
    if (!link.isUp || best === undefined) return await this.#claimHere(claim);
    if (claim.lease !== undefined && this.#isFree(best, claim.nowMs)) {
      this.#bind(best, claim);
      return { granted: true, index: 0, lease: claim.lease, isProbe: false, refusals: [] };
    }
    membership.flush();
    const lease = membership.nextLease();
    // Noted before it is granted, so that whoever chooses meanwhile sees the account in use.
    const noted = claim.lease === undefined ? slots.note({ kind: "account", id: best.id }) : undefined;
    vitals.of(best.id).used(claim.nowMs);
    let early: Lease | undefined = noted;
    try {
      const answer = (await link.ask("claim", ...this.#words(claim, lease))) as ScriptAnswer;
      if (answer[0] === "unknown") {
        link.forgotten();
        membership.forget(lease);
        return await this.#claimHere(claim);
      }
      const isBest = answer[0] === "taken" && answer[1] === 1;
      if (isBest) early = undefined;
      return this.#read(answer, claim, { lease, noted: isBest ? noted : undefined });
    } catch {
      membership.forget(lease);
      return await this.#claimHere(claim);
    } finally {
      early?.release();
    }
  }

  /** Whether there is nothing to be had of an account besides the slot. */
  #isFree({ id, requestsMax, sessions }: ClaimableAccount, nowMs: number): boolean {
    const isCounted = requestsMax !== undefined || sessions !== undefined;
    return !isCounted && this.#parts.vitals.of(id).circuit(nowMs) === "closed";
  }

  /** Binds the conversation, which nobody waits for. */
  #bind({ id }: ClaimableAccount, { session, binding, nowMs }: AccountClaim): void {
    this.#parts.vitals.of(id).used(nowMs);
    const staysAt = binding?.staysAt;
    if (binding === undefined || (staysAt !== undefined && staysAt !== id)) return;
    this.#parts.sessions.bind(session, id, binding.ttlMs);
  }

  #words(claim: AccountClaim, lease: string): readonly Argument[] {
    const { membership, sessions } = this.#parts;
    const { binding } = claim;
    return [
      membership.member,
      lease,
      claim.lease === undefined ? 0 : 1,
      sessions.placeOf(claim.session),
      binding?.ttlMs ?? 0,
      binding?.staysAt ?? "",
      ...claim.accounts.flatMap((account) => this.#wordsFor(account, claim.nowMs)),
    ];
  }

  #wordsFor(account: ClaimableAccount, nowMs: number): readonly Argument[] {
    const { id, concurrency, requestsMax, sessions } = account;
    const isProbe = this.#parts.vitals.of(id).circuit(nowMs) !== "closed";
    return [
      id,
      concurrency,
      requestsWord(requestsMax),
      sessions?.sessionsMax ?? "",
      sessions?.idleMs ?? 0,
      isProbe ? PROBE_MS_MAX : 0,
    ];
  }

  #read(
    [verdict, place, requests, ...why]: ScriptAnswer,
    claim: AccountClaim,
    { lease, noted }: { readonly lease: string; readonly noted: Lease | undefined },
  ): ClaimAnswer {
    const { membership, slots, sessions, vitals } = this.#parts;
    const refusals = why as readonly ClaimRefusal[];
    const index = place - 1;
    const account = claim.accounts[index];
    if (verdict === "none" || account === undefined) {
      membership.forget(lease);
      return { granted: false, refusals };
    }
    const held = claim.lease ?? slots.leaseOf(lease, { kind: "account", id: account.id }, noted);
    if (claim.lease !== undefined) membership.forget(lease);
    if (held === undefined) return { granted: false, refusals: [...refusals, "full"] };
    const { nowMs, session, binding } = claim;
    const known = vitals.of(account.id);
    const isProbe = known.circuit(nowMs) === "half-open";
    if (isProbe) known.tryProbe(nowMs, PROBE_MS_MAX);
    known.used(nowMs);
    if (account.requestsMax !== undefined) vitals.noteRequests(account.id, requests, nowMs);
    if (account.sessions !== undefined) known.admitSession(session.sessionKey, account.sessions, nowMs);
    const staysAt = binding?.staysAt;
    if (binding !== undefined && (staysAt === undefined || staysAt === account.id)) {
      sessions.bindHere(session, account.id, binding.ttlMs);
    }
    return { granted: true, index, lease: held, isProbe, refusals };
  }

  async #claimHere(claim: AccountClaim): Promise<ClaimAnswer> {
    const { local, membership, nodes } = this.#parts;
    const accounts = claim.accounts.map((account) => withinShare(account, nodes()));
    const answer = await local.claim({ ...claim, accounts });
    const account = answer.granted ? claim.accounts[answer.index] : undefined;
    if (!answer.granted || account === undefined || claim.lease !== undefined) return answer;
    const holder = { kind: "account", id: account.id } as const;
    const lease = await membership.adopt(holder, account.concurrency, answer.lease);
    if (lease !== undefined) return { ...answer, lease };
    return { granted: false, refusals: [...answer.refusals, "full"] };
  }
}

type ScriptAnswer = readonly [
  verdict: "taken" | "none" | "unknown",
  place: number,
  requests: number,
  ...string[],
];

function requestsWord(requestsMax: number | undefined): Argument {
  if (requestsMax === undefined) return "";
  return Number.isFinite(requestsMax) ? requestsMax : "inf";
}

/** What one of so many nodes may use of an account while it cannot ask the others. */
function withinShare(account: ClaimableAccount, nodes: number): ClaimableAccount {
  const { concurrency, requestsMax, sessions } = account;
  return {
    ...account,
    concurrency: concurrency === 0 ? 0 : shareOf(concurrency, nodes),
    requestsMax: requestsMax === undefined ? undefined : shareOf(requestsMax, nodes),
    sessions: sessions && { ...sessions, sessionsMax: shareOf(sessions.sessionsMax, nodes) },
  };
}
