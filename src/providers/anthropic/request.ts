import type { Account } from "#domain/account.ts";
import { mappedModel } from "#domain/model-mapping.ts";
import type { UpstreamRequest } from "#domain/upstream-request.ts";
import type { HeaderRecord } from "#kernel/headers.ts";
import { splice } from "#kernel/json-scan.ts";
import { PRODUCT } from "#kernel/product.ts";
import { modelRangeIn } from "#protocols/anthropic/body-parts.ts";
import type { Call, Operation } from "#providers/provider.ts";

/** Source: https://platform.claude.com/docs/en/api/overview */
export const DEFAULT_BASE_URL = "https://api.anthropic.com";
const DEFAULT_VERSION = "2023-06-01";

const PATHS: Readonly<Record<Operation, string>> = {
  messages: "/v1/messages",
  "count-tokens": "/v1/messages/count_tokens",
};

/** Client headers that reach the upstream. Everything else stays here, credentials above all. */
const PASSED: ReadonlySet<string> = new Set([
  "accept",
  "accept-language",
  "content-type",
  "x-app",
  "x-claude-code-session-id",
  "x-client-request-id",
]);

const USER_AGENT = `${PRODUCT.title}/${PRODUCT.version}`;

/**
 * Addresses a call to the Messages API. The body passes through untouched, except that a mapped model
 * replaces exactly the bytes of the one that was asked for.
 */
export function buildRequest(call: Call, account: Account): UpstreamRequest {
  const base = account.baseUrl ?? DEFAULT_BASE_URL;
  return {
    method: "POST",
    url: `${base}${PATHS[call.operation]}${call.query}`,
    headers: requestHeaders(call.headers, account.credential.reveal()),
    body: bodyFor(call, account),
  };
}

function bodyFor({ body, model, modelRange }: Call, { modelMapping }: Account): Uint8Array {
  const sent = mappedModel(modelMapping, model) ?? model;
  if (sent === model) return body;
  return splice(body, modelRange ?? modelRangeIn(body), new TextEncoder().encode(JSON.stringify(sent)));
}

function requestHeaders(client: HeaderRecord, credential: string): Record<string, string> {
  const headers: Record<string, string> = {
    accept: "application/json",
    "content-type": "application/json",
    "anthropic-version": DEFAULT_VERSION,
  };
  for (const name in client) {
    if (!isPassed(name)) continue;
    const value = client[name];
    if (typeof value === "string") headers[name] = value;
  }
  headers["x-api-key"] = credential;
  headers["user-agent"] = USER_AGENT;
  // Usage is read from the bytes as they pass, so they must not be compressed.
  headers["accept-encoding"] = "identity";
  return headers;
}

function isPassed(name: string): boolean {
  return PASSED.has(name) || name.startsWith("anthropic-") || name.startsWith("x-stainless-");
}
