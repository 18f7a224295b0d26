/** Pieces of the OpenAPI document for the gateway routes, whose bodies pass through unparsed. */

const ERROR_TEXTS: Readonly<Record<number, string>> = {
  400: "The request is malformed, or the upstream refused it (its own body, byte for byte)",
  401: "The API key is missing, unknown, disabled or expired",
  403: "The key may not be used from this address, or its balance is used up",
  404: "No such route, model or resource",
  413: "The body exceeds MAX_BODY_BYTES",
  429: "A concurrency or rate limit is reached; see `retry-after`",
  500: "A fault of the gateway itself",
  502: "The upstream failed",
  503: "No account can serve the request now",
  504: "The upstream did not answer in time",
  529: "The upstream is overloaded",
};

/** The error envelope of the gateway routes. */
export const GatewayError = {
  title: "GatewayError",
  type: "object" as const,
  required: ["type", "error", "request_id"],
  properties: {
    type: { type: "string" as const, enum: ["error"] },
    error: {
      type: "object" as const,
      required: ["type", "message"],
      properties: {
        type: { type: "string" as const, example: "rate_limit_error" },
        message: { type: "string" as const },
      },
    },
    request_id: { type: "string" as const },
  },
};

/** A request body of the Messages API, described as far as Sluice reads it. */
export const messageBody = {
  required: true,
  content: {
    "application/json": {
      schema: {
        type: "object" as const,
        required: ["model"],
        additionalProperties: true,
        properties: {
          model: { type: "string" as const },
          max_tokens: { type: "integer" as const },
          stream: { type: "boolean" as const, default: false },
          messages: { type: "array" as const, items: { type: "object" as const } },
        },
        example: {
          model: "claude-sonnet-4-6",
          max_tokens: 256,
          stream: true,
          messages: [{ role: "user", content: "Hello" }],
        },
      },
    },
  },
};

/** A message, whole or as a stream of events. */
export const messageAnswer = {
  "application/json": {
    schema: {
      type: "object" as const,
      additionalProperties: true,
      description: "The upstream's message.",
      properties: {
        id: { type: "string" as const },
        type: { type: "string" as const, enum: ["message"] },
        role: { type: "string" as const, enum: ["assistant"] },
        model: { type: "string" as const },
        content: { type: "array" as const, items: { type: "object" as const } },
        stop_reason: { type: "string" as const },
        usage: { type: "object" as const },
      },
    },
  },
  "text/event-stream": {
    schema: {
      type: "string" as const,
      description: "Server-sent events, from `message_start` to `message_stop`.",
    },
  },
};

/** A count of tokens. */
export const tokenCountAnswer = {
  "application/json": {
    schema: {
      type: "object" as const,
      additionalProperties: true,
      properties: { input_tokens: { type: "integer" as const } },
    },
  },
};

/** One model. */
export const Model = {
  title: "Model",
  type: "object" as const,
  required: ["type", "id", "display_name", "created_at"],
  properties: {
    type: { type: "string" as const, enum: ["model"] },
    id: { type: "string" as const, example: "claude-sonnet-4-6" },
    display_name: { type: "string" as const },
    created_at: { type: "string" as const, format: "date-time" },
  },
};

const MODEL_REF = { $ref: `#/components/schemas/${Model.title}` };

/** A model as an answer. */
export const modelAnswer = { "application/json": { schema: MODEL_REF } };

/** A page of models. */
export const modelsAnswer = {
  "application/json": {
    schema: {
      type: "object" as const,
      required: ["data", "has_more", "first_id", "last_id"],
      properties: {
        data: { type: "array" as const, items: MODEL_REF },
        has_more: { type: "boolean" as const },
        first_id: { type: "string" as const, description: "Null when there are none." },
        last_id: { type: "string" as const, description: "Null when there are none." },
      },
    },
  },
};

/** Which stretch of the models is wanted. */
export const modelsParameters = [
  queryParameter("limit", { type: "integer", minimum: 1, maximum: 1_000, default: 20 }),
  queryParameter("after_id", { type: "string" }),
  queryParameter("before_id", { type: "string" }),
];

interface GatewayDetail {
  readonly summary: string;
  readonly description: string;
  readonly requestBody?: typeof messageBody;
  readonly parameters?: typeof modelsParameters;
  /** The answer's content, by media type. */
  readonly answer: Readonly<Record<string, { readonly schema: object }>>;
  readonly errors: readonly number[];
}

/** The OpenAPI entry of a gateway route: its key schemes, its answer and every error it answers with. */
export function gatewayDetail({
  summary,
  description,
  requestBody,
  parameters,
  answer,
  errors,
}: GatewayDetail) {
  const schema = { $ref: `#/components/schemas/${GatewayError.title}` };
  const failures = errors.map((status) => [
    String(status),
    { description: ERROR_TEXTS[status] ?? "Error", content: { "application/json": { schema } } },
  ]);
  return {
    summary,
    description,
    tags: ["gateway"],
    security: [{ apiKeyBearer: [] }, { apiKeyHeader: [] }, { googleKeyHeader: [] }],
    ...(requestBody === undefined ? {} : { requestBody }),
    ...(parameters === undefined ? {} : { parameters: [...parameters] }),
    responses: {
      200: { description: "The answer, with `request-id`", content: answer },
      ...Object.fromEntries(failures),
    },
  };
}

/** An optional parameter in the query string. */
export function queryParameter(name: string, schema: object) {
  return { name, in: "query", required: false, schema };
}
