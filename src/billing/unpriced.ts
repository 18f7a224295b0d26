import { Fault } from "#kernel/fault.ts";

/** Most of a model's name that is shown, in UTF-16 units. */
const NAME_LENGTH_MAX = 100;

/** The refusal of a model that nothing has a price for; it names the model and what the operator can set. */
export function unpricedFault(model: string): Fault {
  const shown = model.length > NAME_LENGTH_MAX ? `${model.slice(0, NAME_LENGTH_MAX)}…` : model;
  return new Fault("billing.model_unpriced", {
    publicMessage: `model: ${shown} has no price on this gateway. The operator can give it one with the setting model_prices, or decide about all unknown models with unknown_model_price`,
  });
}
