import { Elysia } from "elysia";
import { addRequestId, respondFault } from "#gateway/render-fault.ts";
import { clientAddress } from "#http/client-address.ts";
import { type GatewayEndpointOptions, queryOf, type RequestServer } from "#http/gateway-endpoint.ts";
import { showLimits, usdNumber } from "#http/key-usage/answer.ts";
import { type KeyStatistics, StatisticsReader } from "#http/key-usage/statistics.ts";
import { readUsageTimes } from "#http/key-usage/usage-query.ts";
import { gatewayDetail } from "#http/schemas/gateway.ts";
import { keyUsageAnswer, keyUsageParameters } from "#http/schemas/key-usage.ts";
import { presentedKey } from "#identity/presented-key.ts";
import { Fault } from "#kernel/fault.ts";
import { recordOf } from "#kernel/headers.ts";
import { newRequestId } from "#kernel/random.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";
import type { KeyStatisticsRepository } from "#storage/repositories/key-statistics.ts";
import type { UsageSums } from "#storage/repositories/usage-slices.ts";

/** How many minutes what is called recent spans. */
const RECENT_MINUTES = 5;

/** What the usage page works with besides what every gateway route does. */
export interface KeyUsageParts {
  readonly snapshot: Snapshot;
  readonly statistics: Pick<KeyStatisticsRepository, "summary" | "byModel">;
  /** Answers when the usage of everything that has ended is booked. */
  readonly flushLedger: () => Promise<void>;
}

/**
 * What an API key has used and may still spend: `GET /v1/usage`, and the same below `/antigravity`. Keys that are
 * expired or used up are answered too, since their owners most of all want to know why.
 */
export function usageRoutes(options: GatewayEndpointOptions, parts: KeyUsageParts) {
  const { clock, log } = options.services;
  const { statistics: repository, flushLedger } = parts;
  const statistics = new StatisticsReader({ repository, flushLedger, clock, log });
  const answer = async ({ request, server }: { request: Request; server: RequestServer }) => {
    const requestId = newRequestId();
    try {
      const body = await usageOf({ request, server }, options, parts.snapshot, statistics);
      const headers: Record<string, string> = {
        "content-type": "application/json",
        "cache-control": "no-store",
      };
      addRequestId(headers, requestId);
      return new Response(JSON.stringify(body), { headers });
    } catch (thrown) {
      return respondFault(Fault.from(thrown), { requestId });
    }
  };
  const detail = gatewayDetail({
    summary: "Show what this key has used and may still spend",
    description:
      "Amounts are US dollars. `start_date` and `end_date` bound `model_stats` only. Expired and used up keys are answered too. `usage` and `model_stats` are left out when they cannot be had in time.",
    parameters: keyUsageParameters,
    answer: keyUsageAnswer,
    errors: [400, 401, 403, 500],
  });
  return new Elysia({ name: "routes.usage" })
    .get("/v1/usage", answer, { detail })
    .get("/antigravity/v1/usage", answer, { detail });
}

async function usageOf(
  { request, server }: { readonly request: Request; readonly server: RequestServer },
  { services, trustedProxies }: GatewayEndpointOptions,
  snapshot: Snapshot,
  statistics: StatisticsReader,
): Promise<object> {
  const { identity, eligibility, clock } = services;
  const query = queryOf(request.url);
  const headers = recordOf(request.headers);
  const address = clientAddress(server?.requestIP(request)?.address, headers, trustedProxies);
  const presented = presentedKey(headers, query);
  const { apiKeyId } = identity.identify(presented, address);
  const used = await statistics.read(apiKeyId, readUsageTimes(query, clock.now()));
  // Read after the flush, so that the amounts are no older than the statistics beside them.
  const principal = identity.identify(presented, address);
  const limits = showLimits(principal, { snapshot, eligibility, nowMs: clock.now() });
  return { ...limits, ...(used === undefined ? {} : showStatistics(used)) };
}

function showStatistics({ summary, models }: KeyStatistics): object {
  const { today, total, recent, averageDurationMs } = summary;
  const usage = {
    today: showTotals(today),
    total: showTotals(total),
    average_duration_ms: averageDurationMs,
    rpm: Math.floor(recent.requests / RECENT_MINUTES),
    tpm: Math.floor(recent.totalTokens / RECENT_MINUTES),
  };
  if (models.length === 0) return { usage };
  return { usage, model_stats: models.map((one) => ({ model: one.model, ...showTotals(one) })) };
}

function showTotals(totals: UsageSums): object {
  return {
    requests: totals.requests,
    input_tokens: totals.inputTokens,
    output_tokens: totals.outputTokens,
    cache_creation_tokens: totals.cacheCreationTokens,
    cache_read_tokens: totals.cacheReadTokens,
    total_tokens: totals.totalTokens,
    cost: usdNumber(totals.listCostNanos),
    actual_cost: usdNumber(totals.costNanos),
  };
}
