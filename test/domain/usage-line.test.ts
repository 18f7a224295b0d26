import { expect, test } from "bun:test";
import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import { usageLine } from "#domain/usage-line.ts";
import { NO_USAGE, type UsageRecord } from "#domain/usage-record.ts";

const RECORD: UsageRecord = {
  ...NO_USAGE,
  requestId: 'a "quoted" id',
  userId: 1 as UserId,
  apiKeyId: 2 as ApiKeyId,
  groupId: 3 as GroupId,
  accountId: undefined,
  model: "line\nbreak",
  upstreamModel: "\u2028",
  upstreamRequestId: undefined,
  costNanos: undefined,
  accountCostNanos: undefined,
  subscriptionId: undefined,
  status: "completed",
  httpStatus: 200,
  stream: true,
  usageComplete: true,
  durationMs: 4,
  firstTokenMs: undefined,
  attempts: 0,
  attemptsDetail: [],
  createdAtMs: 5,
};

test("a record is one line of JSON, whatever names it holds, and what is unknown is null", () => {
  const line = usageLine(RECORD);
  expect(line).not.toContain("\n");
  expect(JSON.parse(line)).toMatchObject({
    request_id: 'a "quoted" id',
    model: "line\nbreak",
    upstream_model: "\u2028",
    account_id: null,
    cost_nanos: null,
    account_cost_nanos: null,
    subscription_id: null,
    attempts_detail: [],
  });
});

test("amounts beyond what a number can hold are written out in full", () => {
  const line = usageLine({ ...RECORD, costNanos: 9_007_199_254_740_993n, accountCostNanos: 0n });
  expect(line).toContain('"cost_nanos":9007199254740993,');
  expect(line).toContain('"account_cost_nanos":0,');
});

test("attempts are told under the names of their columns", () => {
  const line = usageLine({
    ...RECORD,
    subscriptionId: 8 as SubscriptionId,
    attemptsDetail: [
      {
        number: 1,
        accountId: 9 as AccountId,
        startedAtMs: 10,
        durationMs: 11,
        httpStatus: undefined,
        fault: "upstream.reset",
        bytes: 12,
        inputTokens: 13,
        outputTokens: 14,
        billed: "unknown",
        reason: 'said "no"',
      },
    ],
  });
  expect(JSON.parse(line)).toMatchObject({
    subscription_id: 8,
    attempts_detail: [
      {
        number: 1,
        account_id: 9,
        started_at_ms: 10,
        duration_ms: 11,
        fault: "upstream.reset",
        bytes: 12,
        input_tokens: 13,
        output_tokens: 14,
        billed: "unknown",
        reason: 'said "no"',
      },
    ],
  });
});
