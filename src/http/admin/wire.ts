import { assert } from "#kernel/assert.ts";
import { nanosToUsd, usdToNanos } from "#kernel/money.ts";

/** What a conversion gives: absent stays absent and null stays null. */
type Converted<Input, Output> = Output | Extract<Input, null | undefined>;

function converter<From extends NonNullable<unknown>, To>(convert: (value: From) => To) {
  return <Input extends From | null | undefined>(input: Input): Converted<Input, To> =>
    (input === null || input === undefined ? input : convert(input)) as Converted<Input, To>;
}

/** A decimal string, checked by its schema, as billionths: dollars as nano-dollars, factors as parts per billion. */
export const nanosOf = converter((decimal: string): bigint => {
  const nanos = usdToNanos(decimal);
  assert(nanos !== undefined, "a schema lets only decimal strings through");
  return nanos;
});

/** Billionths as a decimal string. */
export const decimalOf = converter((nanos: bigint) => nanosToUsd(nanos));

/** A moment, checked by its schema, as milliseconds since the Unix epoch. */
export const msOf = converter((moment: string) => Date.parse(moment));

/** Milliseconds since the Unix epoch as RFC 3339 in UTC with milliseconds. */
export const momentOf = converter((ms: number) => new Date(ms).toISOString());

/** Fields without those that are undefined: what a request does not name stays as it is. */
export function given<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  const named = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(named) as { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
}

/** The moments that every row carries. */
export function timestampsOf(row: { readonly createdAtMs: number; readonly updatedAtMs: number }) {
  return { created_at: momentOf(row.createdAtMs), updated_at: momentOf(row.updatedAtMs) };
}
