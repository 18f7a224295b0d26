import type { UsageRecord } from "#domain/usage-record.ts";
import type { Fault } from "#kernel/fault.ts";
import type { Log } from "#kernel/log.ts";
import { nanosToUsd } from "#kernel/money.ts";
import type { AttemptLog, InboundCall, ParsedCall } from "./call-stages.ts";

interface FinishedRequest {
  readonly call: InboundCall & Partial<ParsedCall>;
  readonly durationMs: number;
  readonly httpStatus: number;
  readonly attempts?: AttemptLog;
  readonly record?: UsageRecord | undefined;
  readonly fault?: Fault | undefined;
}

/** The one wide line a request leaves: who, what, where to, how long, how much. Never bodies or credentials. */
export function logRequest(log: Log, finished: FinishedRequest): void {
  const { call, durationMs, httpStatus, attempts, record, fault } = finished;
  const fields = {
    request_id: call.requestId,
    operation: call.operation,
    status: httpStatus,
    outcome: record?.status ?? (fault === undefined ? "completed" : "failed"),
    fault: fault?.code,
    reason: fault?.message,
    user_id: call.principal?.userId,
    api_key_id: call.principal?.apiKeyId,
    group_id: call.principal?.group.id,
    account_id: attempts?.lastAccount?.id,
    model: call.model,
    stream: call.stream,
    attempts: attempts?.count,
    duration_ms: Math.round(durationMs),
    first_token_ms: record?.firstTokenMs,
    input_tokens: record?.inputTokens,
    output_tokens: record?.outputTokens,
    cost_usd: record?.costNanos === undefined ? undefined : nanosToUsd(record.costNanos),
  };
  if (fault?.skipsMonitoring) log.debug("request.ended", fields);
  else if (fault?.source === "gateway") log.error("request.ended", { ...fields, stack: fault.stack });
  else log.info("request.ended", fields);
}
