import { Elysia } from "elysia";
import { type GatewayEndpointOptions, handleGateway } from "#http/gateway-endpoint.ts";
import { gatewayDetail, messageAnswer, messageBody, tokenCountAnswer } from "#http/schemas/gateway.ts";

/** The Anthropic dialect: `POST /v1/messages` and `POST /v1/messages/count_tokens`. */
export function messagesRoutes(options: GatewayEndpointOptions) {
  return new Elysia({ name: "routes.messages", prefix: "/v1" })
    .post("/messages", ({ request, server }) => handleGateway({ request, server }, "messages", options), {
      parse: "none",
      detail: gatewayDetail({
        summary: "Create a message",
        description:
          "Anthropic's Messages API, streamed (`stream: true`, server-sent events) or whole. Fields and beta tokens that Sluice does not know reach the upstream unchanged, and the answer's bytes reach the client unchanged.",
        requestBody: messageBody,
        answer: messageAnswer,
        errors: [400, 401, 403, 404, 413, 429, 500, 502, 503, 504, 529],
      }),
    })
    .post(
      "/messages/count_tokens",
      ({ request, server }) => handleGateway({ request, server }, "count-tokens", options),
      {
        parse: "none",
        detail: gatewayDetail({
          summary: "Count the tokens of a message",
          description: "Counts input tokens without creating a message. Costs nothing and is not booked.",
          requestBody: messageBody,
          answer: tokenCountAnswer,
          errors: [400, 401, 403, 404, 413, 429, 500, 502, 503, 504, 529],
        }),
      },
    );
}
