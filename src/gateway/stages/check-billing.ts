import type { HoldAsk } from "#billing/hold-desk.ts";
import type { RequestHold } from "#billing/hold-request.ts";
import type { ModelPrice } from "#billing/prices.ts";
import { unpricedFault } from "#billing/unpriced.ts";
import type { HoldRequest } from "#coordination/holds.ts";
import type { Group } from "#domain/group.ts";
import { mappedModel } from "#domain/model-mapping.ts";
import type { Funded, ParsedCall } from "#gateway/call-stages.ts";
import type { GatewayServices } from "#gateway/services.ts";

/**
 * Checks that the request may be paid for, after the wait for a slot, because a balance may have run out
 * meanwhile, fixes the price it is billed by, and sets aside what it may cost. At once, where the holds are in
 * this process.
 *
 * @throws Fault `billing.*`; where it answers at once, it throws at once.
 */
export function checkBilling<C extends ParsedCall>(
  call: C,
  services: GatewayServices,
): (C & Funded) | Promise<C & Funded> {
  const { principal } = call;
  const { subscriptionId } = services.eligibility.check(principal, services.clock.now());
  const price = priceFor(call, principal.group, services);
  const hold = holdFor(call, { subscriptionId, price }, services);
  return hold instanceof Promise
    ? hold.then((taken) => Object.assign(call, { subscriptionId, price, hold: taken }))
    : Object.assign(call, { subscriptionId, price, hold });
}

/**
 * The money that {@link checkBilling} is going to ask for, by what is known now. None where the request is going to be
 * refused: it is told so when its turn has come.
 */
export function foreseeHolds(call: ParsedCall, services: GatewayServices): readonly HoldRequest[] {
  const { holdDesk, eligibility, clock } = services;
  const { principal } = call;
  try {
    const { subscriptionId } = eligibility.check(principal, clock.now());
    const ask = holdAskOf(call, { subscriptionId, price: priceFor(call, principal.group, services) });
    return (ask && holdDesk?.foresee(ask)) ?? [];
  } catch {
    return [];
  }
}

/** The money for a request, set aside; undefined where it costs nothing or nothing is billed. */
function holdFor(
  call: ParsedCall,
  terms: Omit<Funded, "hold">,
  { holdDesk }: GatewayServices,
): RequestHold | undefined | Promise<RequestHold> {
  const ask = holdAskOf(call, terms);
  return ask && holdDesk?.take(ask);
}

/** Undefined: the request costs nothing. */
function holdAskOf(
  { operation, requestId, principal, model, body, maxTokens, signal }: ParsedCall,
  { subscriptionId, price }: Omit<Funded, "hold">,
): HoldAsk | undefined {
  if (price === undefined || operation !== "messages") return undefined;
  const bodyBytes = body.length;
  return { requestId, principal, subscriptionId, model, price, bodyBytes, maxTokens, signal };
}

/**
 * What a request costs in a group. A name that only the accounts' mappings know has the price of the model that
 * it stands for.
 *
 * @throws Fault `billing.model_unpriced` when it would have to be billed and nothing has a price for it.
 */
function priceFor(
  { model, operation }: ParsedCall,
  group: Group,
  { prices, groups, holdDesk }: GatewayServices,
): ModelPrice | undefined {
  const price = prices.priceOf(group.platform, model) ?? mappedPrice(model, group, { prices, groups });
  if (price === undefined && holdDesk !== undefined && operation === "messages") throw unpricedFault(model);
  return price;
}

function mappedPrice(
  model: string,
  { id, platform }: Group,
  { prices, groups }: Pick<GatewayServices, "prices" | "groups">,
): ModelPrice | undefined {
  for (const { modelMapping } of groups.accountsOf(id)) {
    const sent = mappedModel(modelMapping, model);
    const price = sent === undefined || sent === model ? undefined : prices.priceOf(platform, sent);
    if (price !== undefined) return price;
  }
  return undefined;
}
