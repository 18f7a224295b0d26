import type { Funded, ParsedCall } from "#gateway/call-stages.ts";
import type { GatewayServices } from "#gateway/services.ts";

/**
 * Checks that the request may be paid for, after the wait for a slot, because a balance may have run out
 * meanwhile.
 *
 * @throws Fault `billing.*`.
 */
export function checkBilling<C extends ParsedCall>(call: C, { eligibility }: GatewayServices): C & Funded {
  eligibility.check(call.principal);
  return Object.assign(call, { funded: true as const });
}
