import type { ModelPrice } from "#billing/prices.ts";
import { unpricedFault } from "#billing/unpriced.ts";
import type { Group } from "#domain/group.ts";
import { mappedModel } from "#domain/model-mapping.ts";
import type { Funded, ParsedCall } from "#gateway/call-stages.ts";
import type { GatewayServices } from "#gateway/services.ts";

/**
 * Checks that the request may be paid for, after the wait for a slot, because a balance may have run out
 * meanwhile, and fixes the price it is billed by.
 *
 * @throws Fault `billing.*`.
 */
export function checkBilling<C extends ParsedCall>(call: C, services: GatewayServices): C & Funded {
  const { principal } = call;
  const { subscriptionId } = services.eligibility.check(principal, services.clock.now());
  return Object.assign(call, { subscriptionId, price: priceFor(call, principal.group, services) });
}

/**
 * What a request costs in a group. A name that only the accounts' mappings know has the price of the model that
 * it stands for.
 *
 * @throws Fault `billing.model_unpriced` when it would have to be billed and nothing has a price for it.
 */
export function priceFor(
  { model, operation }: ParsedCall,
  group: Group,
  { prices, groups, isBilled }: GatewayServices,
): ModelPrice | undefined {
  const price = prices.priceOf(group.platform, model) ?? mappedPrice(model, group, { prices, groups });
  if (price === undefined && isBilled && operation === "messages") throw unpricedFault(model);
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
