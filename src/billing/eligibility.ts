import type { Principal } from "#domain/principal.ts";
import { Fault } from "#kernel/fault.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";

/** Decides whether a request may be paid for. */
export interface Eligibility {
  /**
   * Returns when the principal may be billed now.
   *
   * @throws Fault `billing.balance_exhausted` when the balance is used up.
   */
  check(principal: Principal): void;
}

/** Refuses users whose balance is used up. */
export function balanceEligibility(snapshot: Snapshot): Eligibility {
  return {
    check: ({ userId }) => {
      const balance = snapshot.user(userId)?.balanceNanos ?? 0n;
      if (balance <= 0n) throw new Fault("billing.balance_exhausted");
    },
  };
}

/** Refuses nobody, for operators who only meter. */
export const unbilledEligibility: Eligibility = { check: () => undefined };
