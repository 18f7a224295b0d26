import type { SessionLimit } from "#domain/account-limits.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Awaitable } from "#kernel/awaitable.ts";
import type { Lease } from "#kernel/lease.ts";
import type { Session } from "./session-bindings.ts";

/** An account that would do, and what bounds its use. */
export interface ClaimableAccount {
  readonly id: AccountId;
  /** Slots at once; 0 means unlimited. */
  readonly concurrency: number;
  /** Requests in a minute of the clock, this one included; `Infinity` only counts it, undefined does not even. */
  readonly requestsMax: number | undefined;
  /** Undefined: conversations are not counted. */
  readonly sessions: SessionLimit | undefined;
}

/** How the conversation is bound to the account that is taken. */
export interface ClaimBinding {
  readonly ttlMs: number;
  /** It stays bound to this one, unless that is the one that is taken; undefined: it moves. */
  readonly staysAt: AccountId | undefined;
}

/** What a request wants of the first of these accounts that has it. */
export interface AccountClaim {
  /** The best first. */
  readonly accounts: readonly ClaimableAccount[];
  /** A slot of the only account that is the request's already; undefined: one is to be taken. */
  readonly lease: Lease | undefined;
  readonly session: Session;
  /** Undefined: bindings are left as they are. */
  readonly binding: ClaimBinding | undefined;
  readonly nowMs: number;
}

/** Why an account was not taken. */
export type ClaimRefusal = "full" | "circuit" | "requests" | "sessions";

/** The account that was taken, by its place among those that would have done. `refusals` is why those before it were not. */
export type ClaimAnswer = { readonly refusals: readonly ClaimRefusal[] } & (
  | {
      readonly granted: true;
      readonly index: number;
      readonly lease: Lease;
      /** This request alone may find out whether the account has recovered. */
      readonly isProbe: boolean;
    }
  | { readonly granted: false }
);

/**
 * Takes all that only one request can have of an account, in one step: a slot that is free and that nobody waits
 * for, the right to probe where the circuit is half-open, a place among the active conversations and one of the
 * minute's requests; and binds the conversation. What is not granted has changed nothing.
 */
export interface AccountClaims {
  /** How many accounts are worth naming in one claim: more where asking twice is dear. */
  readonly accountsMax: number;
  claim(claim: AccountClaim): Awaitable<ClaimAnswer>;
}
