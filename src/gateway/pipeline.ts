import { Fault } from "#kernel/fault.ts";
import { leaseOf } from "#kernel/lease.ts";
import { RequestScope } from "#kernel/request-scope.ts";
import type { Admitted, AttemptLog, Funded, InboundCall, ParsedCall } from "./call-stages.ts";
import { deliver } from "./deliver.ts";
import { keepAlive, type Outcome } from "./keep-alive.ts";
import { LineWait } from "./line-wait.ts";
import { respond } from "./respond.ts";
import type { GatewayServices } from "./services.ts";
import { admit } from "./stages/admit.ts";
import { authenticate } from "./stages/authenticate.ts";
import { checkBilling } from "./stages/check-billing.ts";
import { parse } from "./stages/parse.ts";
import { settle, settleFault, settleRefusal } from "./stages/settle.ts";

/** One client request, from its headers to the last byte of its reply. Never rejects. */
export function relay(call: InboundCall, services: GatewayServices): Promise<Response> {
  const wait = new LineWait(services.limits.pingMs);
  return keepAlive(run(call, wait, services), { call, wait, pingMs: services.limits.pingMs });
}

async function run(inbound: InboundCall, wait: LineWait, services: GatewayServices): Promise<Outcome> {
  const scope = new RequestScope(inbound.signal);
  const attempts: AttemptLog = { count: 0, lastAccount: undefined };
  let funded: (ParsedCall & Admitted & Funded) | undefined;
  scope.hold(leaseOf(() => inbound.onEnd()));
  services.metrics.requestStarted();
  try {
    const authenticated = authenticate(inbound, services);
    const parsed = await parse(authenticated, wait, services);
    const admitted = await admit(parsed, scope, services);
    funded = checkBilling(admitted, services);
    const delivered = await deliver(funded, attempts, scope, services);
    settle(funded, attempts, delivered, services);
    return respond(delivered, inbound, scope);
  } catch (thrown) {
    scope.close();
    const fault = Fault.from(thrown);
    if (funded === undefined) settleRefusal(inbound, fault, services);
    else settleFault(funded, attempts, fault, services);
    return fault;
  }
}
