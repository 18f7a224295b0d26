import { Fault } from "#kernel/fault.ts";
import { type HeaderRecord, headerOf } from "#kernel/headers.ts";

/** Longest key that is looked at, in characters; ours are far shorter. */
const KEY_LENGTH_MAX = 512;

/**
 * Finds the key a client presents: `Authorization: Bearer`, else `x-api-key`, else `x-goog-api-key`.
 *
 * @throws Fault `auth.key_in_query`, `auth.key_missing`, `auth.key_invalid`.
 */
export function presentedKey(headers: HeaderRecord, query: string): string {
  if (query !== "" && hasKeyInQuery(query)) throw new Fault("auth.key_in_query");
  const key = bearerToken(headers) ?? headerOf(headers, "x-api-key") ?? headerOf(headers, "x-goog-api-key");
  const trimmed = key?.trim() ?? "";
  if (trimmed === "") throw new Fault("auth.key_missing");
  if (trimmed.length > KEY_LENGTH_MAX) throw new Fault("auth.key_invalid");
  return trimmed;
}

/** The token of an `Authorization: Bearer` header; undefined for other schemes. */
export function bearerToken(headers: HeaderRecord): string | undefined {
  const value = headerOf(headers, "authorization");
  if (value === null || value.slice(0, 7).toLowerCase() !== "bearer ") return undefined;
  return value.slice(7).trim();
}

function hasKeyInQuery(query: string): boolean {
  const params = new URLSearchParams(query);
  return ["key", "api_key"].some((name) => (params.get(name) ?? "").trim() !== "");
}
