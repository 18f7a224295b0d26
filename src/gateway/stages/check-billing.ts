import type { HoldAsk } from "#billing/hold-desk.ts";
import type { RequestHold } from "#billing/hold-request.ts";
import type { ModelPrice } from "#billing/prices.ts";
import { unpricedFault } from "#billing/unpriced.ts";
import type { HoldRequest } from "#coordination/holds.ts";
import type { Group } from "#domain/group.ts";
import { mappedModel } from "#domain/model-mapping.ts";
import type { Admitted, Funded, ParsedCall } from "#gateway/call-stages.ts";
import type { GatewayServices } from "#gateway/services.ts";
import { Fault } from "#kernel/fault.ts";

/**
 * Checks that the request may be paid for, after the wait for a slot, because a balance may have run out
 * meanwhile, fixes the price it is billed by, and sets aside what it may cost. At once, where the holds are in
 * this process.
 *
 * @throws Fault `billing.*`; where it answers at once, it throws at once.
 */
export function checkBilling<C extends ParsedCall & Admitted>(
  call: C,
  services: GatewayServices,
): (C & Funded) | Promise<C & Funded> {
  const { subscriptionId, price } = termsGivingBack(call, services);
  const hold = holdFor(call, { subscriptionId, price }, services);
  return hold instanceof Promise
    ? fundedLater(call, { subscriptionId, price }, hold)
    : Object.assign(call, { subscriptionId, price, hold });
}

async function fundedLater<C extends object>(
  call: C,
  terms: Terms,
  hold: Promise<RequestHold>,
): Promise<C & Funded> {
  return Object.assign(call, { ...terms, hold: await hold });
}

/**
 * What the billing stage will ask for first, as far as that can be said before the request has its slot: none where
 * the stage would refuse it, which is the stage's to say.
 */
export function foreseenHolds(call: ParsedCall, services: GatewayServices): readonly HoldRequest[] {
  const { holdDesk } = services;
  if (holdDesk === undefined) return [];
  try {
    const ask = askOf(call, termsOf(call, services));
    return ask === undefined ? [] : holdDesk.foresee(ask);
  } catch (thrown) {
    if (thrown instanceof Fault) return [];
    throw thrown;
  }
}

/** Who pays, and by which price. */
type Terms = Omit<Funded, "hold">;

function termsOf(call: ParsedCall, services: GatewayServices): Terms {
  const { principal } = call;
  const { subscriptionId } = services.eligibility.check(principal, services.clock.now());
  return { subscriptionId, price: priceFor(call, principal.group, services) };
}

/** A request that is refused does not keep what came with its slot. */
function termsGivingBack(call: ParsedCall & Admitted, services: GatewayServices): Terms {
  try {
    return termsOf(call, services);
  } catch (thrown) {
    services.holdDesk?.giveBack(call.advance);
    throw thrown;
  }
}

/** The money for a request, set aside; undefined where it costs nothing or nothing is billed. */
function holdFor(
  call: ParsedCall & Admitted,
  terms: Terms,
  { holdDesk }: GatewayServices,
): RequestHold | undefined | Promise<RequestHold> {
  const ask = holdDesk && askOf(call, terms);
  if (ask !== undefined) return holdDesk?.take(ask, call.advance);
  holdDesk?.giveBack(call.advance);
  return undefined;
}

/** Undefined: nothing has to be set aside. */
function askOf(call: ParsedCall, { subscriptionId, price }: Terms): HoldAsk | undefined {
  if (price === undefined || call.operation !== "messages") return undefined;
  const { requestId, principal, model, body, maxTokens, signal } = call;
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
