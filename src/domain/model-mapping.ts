/** Requested model, or a pattern ending in `*`, to the model that is sent. */
export type ModelMapping = Readonly<Record<string, string>>;

/**
 * The model to send for a requested one. Without a mapping every model is sent as asked; undefined: not
 * supported.
 */
export function mappedModel(mapping: ModelMapping | undefined, model: string): string | undefined {
  if (mapping === undefined) return model;
  const target = longestMatch(mapping, model);
  // A pattern as the target means "as asked".
  return target?.endsWith("*") ? model : target;
}

/**
 * The entry for a model in a table of names and patterns that end in `*`: the exact name first, else the
 * longest pattern that fits (of equally long ones there is only one). Undefined: there is none.
 */
export function longestMatch<Value>(
  table: Readonly<Record<string, Value>>,
  model: string,
): Value | undefined {
  if (Object.hasOwn(table, model)) return table[model];
  let longest = "";
  for (const pattern of Object.keys(table)) {
    const fits = pattern.endsWith("*") && model.startsWith(pattern.slice(0, -1));
    if (fits && pattern.length > longest.length) longest = pattern;
  }
  return longest === "" ? undefined : table[longest];
}
