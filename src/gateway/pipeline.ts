import { Fault } from "#kernel/fault.ts";
import { RequestScope } from "#kernel/request-scope.ts";
import type { AttemptLog, InboundCall, ParsedCall, Watched } from "./call-stages.ts";
import { type DeliverableCall, deliver } from "./deliver.ts";
import { ruledFault } from "./error-rules.ts";
import type { Outcome } from "./keep-alive.ts";
import { PendingAnswer } from "./pending-answer.ts";
import { RequestTrace } from "./request-trace.ts";
import { respond } from "./respond.ts";
import type { GatewayServices } from "./services.ts";
import { admit } from "./stages/admit.ts";
import { authenticate } from "./stages/authenticate.ts";
import { checkBilling } from "./stages/check-billing.ts";
import { type Checked, checkClient } from "./stages/check-client.ts";
import { parse } from "./stages/parse.ts";
import { settle, settleFault, settleRefusal } from "./stages/settle.ts";

/** One client request, from its headers to the last byte of its reply. Never rejects. */
export function relay(call: InboundCall, services: GatewayServices): Promise<Response> {
  const { clock, limits, stallWatch } = services;
  const answer = new PendingAnswer(call, { pingMs: limits.pingMs, stallWatch });
  const trace = new RequestTrace(call.startedAt, clock);
  void run(Object.assign(call, { answer, trace }), services);
  return answer.response;
}

async function run(inbound: InboundCall & Watched, services: GatewayServices): Promise<void> {
  const scope = new RequestScope(inbound.signal);
  const attempts: AttemptLog = { count: 0, lastAccount: undefined, lastStartedAtMs: 0, failed: [] };
  let funded: DeliverableCall | undefined;
  let outcome: Outcome;
  scope.hold(inbound);
  services.metrics.requestStarted();
  try {
    const authenticated = authenticate(inbound, services);
    const parsed = await parse(authenticated, services);
    const checked = checkClient(parsed, services);
    keepTrace(checked, services);
    const admitted = await admit(checked, scope, services);
    const billed = checkBilling(admitted, services);
    funded = billed instanceof Promise ? await billed : billed;
    const delivered = await deliver(funded, attempts, scope, services);
    const booking = settle(funded, attempts, delivered, services);
    if (booking !== undefined) await booking;
    outcome = respond(delivered, funded, scope);
  } catch (thrown) {
    scope.close();
    const thrownFault = Fault.from(thrown);
    const fault = funded === undefined ? thrownFault : ruledFault(thrownFault, funded, services);
    inbound.trace.addFault(fault);
    if (funded === undefined) settleRefusal(inbound, fault, services);
    else settleFault(funded, attempts, fault, services);
    outcome = fault;
  }
  services.traces.end(inbound.trace);
  inbound.answer.settle(outcome);
}

/** From here on the trace can be asked for by the request's id. */
function keepTrace(call: ParsedCall & Checked, { traces }: GatewayServices): void {
  const { requestId, model, stream, sessionKey, principal, servingGroup, client } = call;
  call.trace.request = {
    requestId,
    model,
    stream,
    sessionKey,
    groupId: servingGroup.id,
    apiKeyId: principal.apiKeyId,
    client: client && `${client.name} ${client.version}`,
    arrivedAtMs: call.arrivedAtMs,
  };
  traces.begin(call.trace);
}
