import type { AuthenticatedCall, InboundCall, Watched } from "#gateway/call-stages.ts";
import type { GatewayServices } from "#gateway/services.ts";
import { presentedKey } from "#identity/presented-key.ts";

/**
 * Turns the key in the headers into a principal. Runs before the body is read, so that nobody unknown can
 * make the gateway take one in.
 *
 * @throws Fault `auth.*`.
 */
export function authenticate(call: InboundCall & Watched, { identity }: GatewayServices): AuthenticatedCall {
  const key = presentedKey(call.headers, call.query);
  return Object.assign(call, { principal: identity.authenticate(key, call.clientAddress) });
}
