import type { Ledger } from "#billing/ledger.ts";
import { costOf, type ModelPrice } from "#billing/prices.ts";
import { mappedModel } from "#domain/model-mapping.ts";
import { NO_USAGE, type TokenUsage, type UsageRecord } from "#domain/usage-record.ts";
import { attemptRecords } from "#gateway/attempt-records.ts";
import type {
  AttemptLog,
  Delivered,
  Funded,
  InboundCall,
  ParsedCall,
  Reply,
  StreamEnding,
} from "#gateway/call-stages.ts";
import { logRequest } from "#gateway/request-log.ts";
import type { GatewayServices } from "#gateway/services.ts";
import type { Fault } from "#kernel/fault.ts";
import type { HeaderRecord } from "#kernel/headers.ts";

/** Longest upstream request id that is kept, in characters; Anthropic's have 28. */
const UPSTREAM_ID_LENGTH_MAX = 256;

/** The rate of the list itself, in parts per billion. */
const UNMULTIPLIED = 1_000_000_000n;

/** A call whose price is known. */
type BilledCall = ParsedCall & Funded;

/** How a request ended. */
interface Outcome {
  readonly ending: StreamEnding;
  readonly httpStatus: number;
  readonly upstreamRequestId: string | undefined;
  readonly fault?: Fault;
}

/**
 * Books what a delivered request used once its answer has ended. A whole answer may go when this has settled, which it
 * does in the same turn of the event loop; a stream is not delayed.
 */
export function settle(
  call: BilledCall,
  attempts: AttemptLog,
  { reply, isLocal }: Delivered,
  services: GatewayServices,
): Promise<void> | undefined {
  if (isLocal) {
    settleLocal(call, reply, services);
    return undefined;
  }
  const { ledger } = services;
  const upstreamRequestId = shortened(reply.headers["request-id"]);
  const httpStatus = reply.status;
  const book = (ending: StreamEnding): UsageRecord | undefined =>
    finish(call, attempts, { ending, httpStatus, upstreamRequestId }, services);
  if (reply.kind === "whole") {
    const record = book(endingOf(reply, call.signal));
    return record && ledger.recordTogether(record);
  }
  void reply.ended.then((ending) => keep(book(ending), ledger));
  return undefined;
}

function keep(record: UsageRecord | undefined, ledger: Pick<Ledger, "record">): void {
  if (record !== undefined) ledger.record(record);
}

/** Counts and logs a request that was answered here and costs nothing. */
function settleLocal(call: BilledCall, { status }: Reply, { clock, log, metrics }: GatewayServices): void {
  const durationMs = clock.monotonic() - call.startedAt;
  call.hold?.settle(0);
  metrics.requestEnded(call.operation, status, durationMs);
  logRequest(log, { call, durationMs, httpStatus: status });
}

/** Books a request that passed admission and billing but got no answer. */
export function settleFault(
  call: BilledCall,
  attempts: AttemptLog,
  fault: Fault,
  services: GatewayServices,
): void {
  const isGone = fault.code === "admit.client_gone";
  const outcome: Outcome = {
    ending: {
      status: isGone ? "client_gone" : "failed",
      usage: NO_USAGE,
      usageComplete: !isGone,
      bytes: 0,
      firstTokenAt: undefined,
    },
    httpStatus: fault.status,
    upstreamRequestId: shortened(fault.upstream?.headers["request-id"]),
    fault,
  };
  if (!fault.skipsMonitoring) services.metrics.fault(fault.code);
  keep(finish(call, attempts, outcome, services), services.ledger);
}

/** Counts and logs a request that was refused before it could cost anything. */
export function settleRefusal(
  call: InboundCall,
  fault: Fault,
  { clock, log, metrics }: GatewayServices,
): void {
  const durationMs = clock.monotonic() - call.startedAt;
  metrics.fault(fault.code);
  metrics.requestEnded(call.operation, fault.status, durationMs);
  logRequest(log, { call, durationMs, httpStatus: fault.status, fault });
}

function endingOf(reply: Reply & { kind: "whole" }, clientSignal: AbortSignal): StreamEnding {
  return {
    status: clientSignal.aborted ? "client_gone" : "completed",
    usage: reply.usage ?? NO_USAGE,
    usageComplete: reply.usage !== undefined,
    bytes: reply.body.length,
    firstTokenAt: undefined,
  };
}

/** Counts and logs a request that passed; what is to be recorded of it. */
function finish(
  call: BilledCall,
  attempts: AttemptLog,
  outcome: Outcome,
  services: GatewayServices,
): UsageRecord | undefined {
  const { clock, holdDesk, log, metrics } = services;
  const { httpStatus, fault } = outcome;
  const durationMs = clock.monotonic() - call.startedAt;
  const isBooked = call.operation === "messages";
  const record = isBooked ? recordOf(call, attempts, outcome, durationMs) : undefined;
  // Before the record: what is on record is counted, at every moment.
  call.hold?.settle(Number(record?.costNanos ?? 0n));
  if (record !== undefined) {
    if (record.status === "completed") holdDesk?.noteAnswer(record.apiKeyId, record.model, record);
    metrics.usage(record);
  }
  metrics.requestEnded(call.operation, httpStatus, durationMs);
  logRequest(log, { call, durationMs, httpStatus, attempts, record, fault });
  return record;
}

/** An upstream's id is kept only as far as an index can hold it. */
function shortened(upstreamRequestId: HeaderRecord[string]): string | undefined {
  return typeof upstreamRequestId === "string"
    ? upstreamRequestId.slice(0, UPSTREAM_ID_LENGTH_MAX)
    : undefined;
}

/** What a request costs its user, by the list, and the operator: by the rate of the account that was asked last. */
type Costs = Pick<UsageRecord, "costNanos" | "listCostNanos" | "accountCostNanos">;

const NO_COSTS: Costs = { costNanos: undefined, listCostNanos: undefined, accountCostNanos: undefined };

function costsOf({ price, principal }: BilledCall, { lastAccount }: AttemptLog, usage: TokenUsage): Costs {
  if (price === undefined) return NO_COSTS;
  const listCostNanos = costOf(price, usage, UNMULTIPLIED);
  const of = { price, usage, listCostNanos };
  return {
    costNanos: costAt(principal.rateMultiplierNanos, of),
    listCostNanos,
    accountCostNanos: lastAccount && costAt(lastAccount.rateMultiplierNanos, of),
  };
}

interface ListCost {
  readonly price: ModelPrice;
  readonly usage: TokenUsage;
  readonly listCostNanos: bigint;
}

/** Most rates are the list's own. */
function costAt(multiplierNanos: bigint, { price, usage, listCostNanos }: ListCost): bigint {
  return multiplierNanos === UNMULTIPLIED ? listCostNanos : costOf(price, usage, multiplierNanos);
}

function recordOf(
  call: BilledCall,
  attempts: AttemptLog,
  { ending, httpStatus, upstreamRequestId, fault }: Outcome,
  durationMs: number,
): UsageRecord {
  const { principal, model } = call;
  const { group } = principal;
  const { status, usage, usageComplete, firstTokenAt } = ending;
  const { costNanos, listCostNanos, accountCostNanos } = costsOf(call, attempts, usage);
  // Field by field: a record is made for every request, and copying objects into it costs more than naming them.
  return {
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    cacheCreationTokens: usage.cacheCreationTokens,
    cacheCreation5mTokens: usage.cacheCreation5mTokens,
    cacheCreation1hTokens: usage.cacheCreation1hTokens,
    cacheReadTokens: usage.cacheReadTokens,
    costNanos,
    listCostNanos,
    accountCostNanos,
    requestId: call.requestId,
    userId: principal.userId,
    apiKeyId: principal.apiKeyId,
    groupId: group.id,
    accountId: attempts.lastAccount?.id,
    model,
    upstreamModel: mappedModel(attempts.lastAccount?.modelMapping, model) ?? model,
    upstreamRequestId,
    subscriptionId: call.subscriptionId,
    attemptsDetail:
      fault === undefined ? attemptRecords(attempts, ending, durationMs, httpStatus) : attempts.failed,
    status,
    httpStatus: status === "client_gone" ? 499 : httpStatus,
    stream: call.stream,
    usageComplete,
    durationMs: Math.round(durationMs),
    firstTokenMs: firstTokenAt === undefined ? undefined : Math.round(firstTokenAt - call.startedAt),
    attempts: attempts.count,
    createdAtMs: call.arrivedAtMs,
  };
}
