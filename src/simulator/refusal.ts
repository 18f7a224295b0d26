/** Anthropic's error types by status (platform.claude.com/docs/en/api/errors). */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  500: "api_error",
  504: "timeout_error",
  529: "overloaded_error",
};

const ERROR_MESSAGES: Readonly<Record<number, string>> = {
  400: "The simulator was told to refuse this request",
  401: "invalid x-api-key",
  403: "Your API key does not have permission to use the specified resource",
  404: "Not Found",
  413: "Request exceeds the maximum size",
  429: "This request would exceed your organization's rate limit",
  500: "Internal server error",
  529: "Overloaded",
};

/** A request the simulator answers with an error of its own accord. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message?: string) {
    super(message ?? ERROR_MESSAGES[status] ?? "The simulator was told to fail");
    this.name = "Refusal";
    this.status = status;
  }
}

/** Anthropic's error envelope as JSON. Statuses without a type of their own share their class's. */
export function errorEnvelope({ status, message }: Refusal, requestId: string): string {
  const type = ERROR_TYPES[status] ?? (status < 500 ? "invalid_request_error" : "api_error");
  return JSON.stringify({ type: "error", error: { type, message }, request_id: requestId });
}
