import type { Static, TSchema } from "elysia";
import { TypeCompiler } from "elysia/type-system";
import type { FieldError } from "#http/problem.ts";
import { registerFormats } from "#http/schemas/formats.ts";

/** Most wrong fields that one answer names. */
const ERRORS_MAX = 20;

/** Untyped input after it was checked. */
export type Read<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** Checks untyped input against a schema. */
export type Reader<Value> = (input: unknown) => Read<Value>;

/** Compiles a schema into a reader. Nothing is converted, filled in or dropped: what fits is given back as it is. */
export function readerOf<Schema extends TSchema>(schema: Schema): Reader<Static<Schema>> {
  registerFormats();
  const check = TypeCompiler.Compile(schema);
  return (input) => {
    if (check.Check(input)) return { ok: true, value: input };
    const byPath = new Map<string, string>();
    for (const error of check.Errors(input)) {
      const { path, message } = closest(error);
      if (!byPath.has(path)) byPath.set(path, message);
      if (byPath.size === ERRORS_MAX) break;
    }
    return { ok: false, errors: [...byPath].map(([path, message]) => ({ path, message })) };
  };
}

/**
 * Compiles the schema of a query string into a reader of one. Values of whole-number parameters are turned
 * into numbers; a parameter that is given twice is refused, because only one of them could count.
 */
export function queryReaderOf<Schema extends TSchema>(
  schema: Schema,
): (query: string) => Read<Static<Schema>> {
  const read = readerOf(schema);
  return (query) => {
    const input: Record<string, unknown> = {};
    for (const [name, value] of new URLSearchParams(query)) {
      if (Object.hasOwn(input, name)) {
        return { ok: false, errors: [{ path: `/${name}`, message: "Expected to be given once" }] };
      }
      const isNumber = schema["properties"]?.[name]?.type === "integer" && /^\d{1,16}$/.test(value);
      Object.defineProperty(input, name, { value: isNumber ? Number(value) : value, enumerable: true });
    }
    return read(input);
  };
}

interface SchemaError {
  readonly path: string;
  readonly message: string;
  readonly errors: readonly Iterable<SchemaError>[];
}

/** What is wrong with a value that fits none of several schemas is said by the first of them: the others are null. */
function closest(error: SchemaError): SchemaError {
  for (const inner of error.errors[0] ?? []) return closest(inner);
  return error;
}
