import { Elysia } from "elysia";
import { listModels } from "#accounts/model-catalog.ts";
import { addRequestId, respondFault } from "#gateway/render-fault.ts";
import { clientAddress } from "#http/client-address.ts";
import { type GatewayEndpointOptions, queryOf, type RequestServer } from "#http/gateway-endpoint.ts";
import { gatewayDetail, modelAnswer, modelsAnswer, modelsParameters } from "#http/schemas/gateway.ts";
import { presentedKey } from "#identity/presented-key.ts";
import { Fault } from "#kernel/fault.ts";
import { recordOf } from "#kernel/headers.ts";
import { newRequestId } from "#kernel/random.ts";
import type { ModelCard } from "#providers/provider.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";

/** Anthropic's bounds of `limit`. Source: https://platform.claude.com/docs/en/api/models/list */
const LIMIT_MAX = 1_000;
const LIMIT_DEFAULT = 20;

/** The models a key can use: `GET /v1/models` and `GET /v1/models/{id}`. */
export function modelsRoutes(options: GatewayEndpointOptions, snapshot: Snapshot) {
  const answer = (request: Request, server: RequestServer, body: (cards: readonly ModelCard[]) => object) => {
    const requestId = newRequestId();
    try {
      const cards = authorizedModels({ request, server }, options, snapshot);
      const headers: Record<string, string> = { "content-type": "application/json" };
      addRequestId(headers, requestId);
      return new Response(JSON.stringify(body(cards)), { headers });
    } catch (thrown) {
      return respondFault(Fault.from(thrown), { requestId });
    }
  };
  const errors = [400, 401, 403, 404, 500];
  return new Elysia({ name: "routes.models", prefix: "/v1" })
    .get("/models", ({ request, server }) => answer(request, server, (cards) => page(cards, request.url)), {
      detail: gatewayDetail({
        summary: "List the models this key can use",
        description: "Anthropic's form, newest first, with `limit`, `after_id` and `before_id`.",
        parameters: modelsParameters,
        answer: modelsAnswer,
        errors,
      }),
    })
    .get(
      "/models/:id",
      ({ request, server, params }) => answer(request, server, (cards) => one(cards, params.id)),
      {
        detail: gatewayDetail({
          summary: "Show one model",
          description: "Anthropic's form.",
          answer: modelAnswer,
          errors,
        }),
      },
    );
}

function authorizedModels(
  { request, server }: { readonly request: Request; readonly server: RequestServer },
  { services, trustedProxies }: GatewayEndpointOptions,
  snapshot: Snapshot,
): readonly ModelCard[] {
  const headers = recordOf(request.headers);
  const key = presentedKey(headers, queryOf(request.url));
  const address = clientAddress(server?.requestIP(request)?.address, headers, trustedProxies);
  return listModels(snapshot, services.identity.authenticate(key, address).group);
}

function page(cards: readonly ModelCard[], url: string): object {
  const params = new URLSearchParams(queryOf(url));
  const limit = readLimit(params.get("limit"));
  const after = cards.findIndex(({ id }) => id === params.get("after_id"));
  const before = cards.findIndex(({ id }) => id === params.get("before_id"));
  const rest = cards.slice(after + 1, before === -1 ? undefined : before);
  const shown = before === -1 ? rest.slice(0, limit) : rest.slice(-limit);
  return {
    data: shown.map(wireModel),
    has_more: rest.length > shown.length,
    first_id: shown.at(0)?.id ?? null,
    last_id: shown.at(-1)?.id ?? null,
  };
}

function one(cards: readonly ModelCard[], id: string): object {
  const card = cards.find((candidate) => candidate.id === id);
  if (card === undefined) throw new Fault("select.model_unknown");
  return wireModel(card);
}

function wireModel({ id, displayName, createdAt }: ModelCard): object {
  return { type: "model", id, display_name: displayName, created_at: createdAt };
}

function readLimit(raw: string | null): number {
  if (raw === null) return LIMIT_DEFAULT;
  const limit = Number(raw);
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new Fault("parse.field_invalid", {
    publicMessage: `limit: must be a whole number from 1 to ${LIMIT_MAX}`,
  });
}
