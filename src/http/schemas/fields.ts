import { type TSchema, t } from "elysia";
import { ADDRESS_FORMAT, DAY_FORMAT, MOMENT_FORMAT } from "./formats.ts";

/** Objects of the admin API have no fields but those named here, so that a typing error cannot pass silently. */
export const CLOSED = { additionalProperties: false } as const;

/** Longest name, model or key of a mapping, in UTF-16 units. */
const TEXT_LENGTH_MAX = 200;

/** Text without control characters, of which PostgreSQL cannot hold all, and not blank. */
const TEXT_PATTERN = `^(?=.*\\S)[^\\u0000-\\u001f\\u007f]{1,${TEXT_LENGTH_MAX}}$`;

/** One line of text of at most 200 characters. */
export const text = (description?: string) =>
  t.String({ pattern: TEXT_PATTERN, maxLength: TEXT_LENGTH_MAX, ...described(description) });

/** A secret of an upstream: visible ASCII, as HTTP headers demand. */
export const secretText = () => t.String({ pattern: "^[\\x21-\\x7e]+$", minLength: 1, maxLength: 16_384 });

/** Marks what a schema is to the validator. Source: TypeBox 0.34, "Unsafe Types". */
const KIND = Symbol.for("TypeBox.Kind");

/** A whole number within bounds. Elysia replaces the validator's own integer by one that takes numbers in strings too. */
export const integer = (minimum: number, maximum: number, description?: string) =>
  t.Unsafe<number>({ [KIND]: "Integer", type: "integer", minimum, maximum, ...described(description) });

/** A number within bounds, whole or not. */
export const number = (minimum: number, maximum: number, description?: string) =>
  t.Unsafe<number>({ [KIND]: "Number", type: "number", minimum, maximum, ...described(description) });

/** The HTTP status of an error. */
export const errorStatus = (description?: string) => integer(400, 599, description);

/** An id. */
export const id = (description?: string) => integer(1, Number.MAX_SAFE_INTEGER, description);

/** One of a few words. Elysia would call the first one the default. */
export const oneOf = <const Words extends readonly [string, ...string[]]>(
  words: Words,
  description?: string,
) => t.UnionEnum(words, { default: undefined, ...described(description) });

/** An amount that is not negative: a decimal string of US dollars, exact to the nano-dollar. */
export const usd = (description?: string) =>
  t.String({ pattern: "^\\d{1,9}(\\.\\d{1,9})?$", ...described(description), examples: ["12.5"] });

/** An amount that may be negative. */
export const signedUsd = (description?: string) =>
  t.String({ pattern: "^-?\\d{1,9}(\\.\\d{1,9})?$", ...described(description), examples: ["-2.5"] });

/** An amount as it is shown, which may have grown beyond what can be set at once. */
export const shownUsd = (description = "US dollars, exact to the nano-dollar.") =>
  t.String({ pattern: "^-?\\d+(\\.\\d{1,9})?$", description, examples: ["99.9985975"] });

/** A factor from 0 to below 1000, exact to nine decimals. */
export const multiplier = (description?: string) =>
  t.String({ pattern: "^\\d{1,3}(\\.\\d{1,9})?$", ...described(description), examples: ["1"] });

/** A moment of the years 2000 to 2999. */
export const moment = (description?: string) =>
  t.String({ format: MOMENT_FORMAT, ...described(description), examples: ["2027-01-31T00:00:00.000Z"] });

/** A day of the years 2000 to 2999. */
export const day = (description?: string) =>
  t.String({ format: DAY_FORMAT, ...described(description), examples: ["2027-01-31"] });

/** IP addresses and CIDR ranges. */
export const addresses = (description?: string) =>
  t.Array(t.String({ format: ADDRESS_FORMAT, maxLength: 64 }), {
    maxItems: 1_000,
    ...described(description),
  });

/** Values of one sort, in order. */
export const list = <Item extends TSchema>(item: Item, maxItems: number, description?: string) =>
  t.Array(item, { maxItems, ...described(description) });

/** A table from text to something else, of at most 1000 entries. */
export const table = <Value extends TSchema>(value: Value, description?: string) =>
  t.Record(t.String({ pattern: TEXT_PATTERN }), value, {
    ...CLOSED,
    maxProperties: 1_000,
    ...described(description),
  });

/** A value that null clears. */
export const nullable = <Schema extends TSchema>(schema: Schema) => t.Union([schema, t.Null()]);

/** When a row was made and last changed. */
export const timestamps = { created_at: moment(), updated_at: moment() };

function described(description: string | undefined): { readonly description?: string } {
  return description === undefined ? {} : { description };
}
