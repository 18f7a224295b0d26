import { asRecord } from "./usage.ts";

/**
 * Error types of the Messages API by HTTP status.
 * Source: https://platform.claude.com/docs/en/api/errors
 */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  405: "invalid_request_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** The error envelope of the Messages API, as its clients expect it on every failure. */
export interface ErrorBody {
  readonly type: "error";
  readonly error: { readonly type: string; readonly message: string };
  readonly request_id: string;
}

/** An error as the Messages API would state it for this HTTP status. */
export function errorBody(status: number, message: string, requestId: string): ErrorBody {
  const type = ERROR_TYPES[status] ?? (status >= 500 ? "api_error" : "invalid_request_error");
  return { type: "error", error: { type, message }, request_id: requestId };
}

/** Reads an upstream's own error envelope; undefined when the body is none. */
export function readErrorBody(body: Uint8Array): ErrorBody | undefined {
  try {
    const tree = asRecord(JSON.parse(new TextDecoder().decode(body)));
    const { type, message } = asRecord(tree["error"]);
    return tree["type"] === "error" && typeof type === "string" && typeof message === "string"
      ? (tree as unknown as ErrorBody)
      : undefined;
  } catch {
    // Not JSON: the caller has words of its own.
    return undefined;
  }
}

/** The same error as an event of a stream that has already begun. */
export function errorEvent(body: ErrorBody): Uint8Array {
  return new TextEncoder().encode(`event: error\ndata: ${JSON.stringify(body)}\n\n`);
}
