/** Requested model, or a pattern ending in `*`, to the model that is sent. */
export type ModelMapping = Readonly<Record<string, string>>;

/**
 * The model to send for a requested one: an exact name first, else the longest pattern that fits (of equally
 * long ones there is only one). Without a mapping every model is sent as asked; undefined: not supported.
 */
export function mappedModel(mapping: ModelMapping | undefined, model: string): string | undefined {
  if (mapping === undefined) return model;
  if (Object.hasOwn(mapping, model)) return mapping[model];
  const patterns = Object.keys(mapping).filter(
    (pattern) => pattern.endsWith("*") && model.startsWith(pattern.slice(0, -1)),
  );
  const longest = patterns.reduce((best, next) => (next.length > best.length ? next : best), "");
  const target = longest === "" ? undefined : mapping[longest];
  // A pattern as the target means "as asked".
  return target?.endsWith("*") ? model : target;
}
