import type { AuthenticatedCall, ParsedCall } from "#gateway/call-stages.ts";
import type { GatewayServices } from "#gateway/services.ts";
import { Fault } from "#kernel/fault.ts";
import { headerOf } from "#kernel/headers.ts";
import type { SessionSeed } from "#protocols/call-facts.ts";
import { providerFor } from "#providers/registry.ts";

/**
 * Reads the body and the facts routing needs. No later stage changes what is read here.
 *
 * @throws Fault `parse.*`, or `select.no_account` for a platform that cannot be served yet.
 */
export async function parse(call: AuthenticatedCall, { parser }: GatewayServices): Promise<ParsedCall> {
  const { body, facts } = await parser.read(await call.readBody(), seedOf(call));
  // A token count is answered whole, whatever its body says.
  call.answer.allowPings(facts.stream && call.operation === "messages");
  const provider = providerFor(call.principal.group.platform);
  if (provider === undefined) {
    throw new Fault("select.no_account", { internal: `no provider for ${call.principal.group.platform}` });
  }
  return Object.assign(call, facts, { body, provider });
}

function seedOf({ headers, principal, clientAddress }: AuthenticatedCall): SessionSeed {
  return {
    apiKeyId: principal.apiKeyId,
    clientAddress,
    userAgent: headerOf(headers, "user-agent") ?? undefined,
    sessionId: headerOf(headers, "x-claude-code-session-id") ?? undefined,
  };
}
