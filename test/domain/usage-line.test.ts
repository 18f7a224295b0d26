import { expect, test } from "bun:test";
import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import { chargeOf, usageLine } from "#domain/usage-line.ts";
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

test("who pays how much is read from a line as from its parsed form, whatever names it holds", () => {
  const names = [
    "claude",
    'x,"cost_nanos":9,"user_id":9',
    '\\",\\"api_key_id\\":7',
    '","subscription_id":5,"',
    "\u2028",
  ];
  for (const model of names) {
    for (const costNanos of [undefined, 0n, 12_345n, 9_007_199_254_740_991n]) {
      for (const subscriptionId of [undefined, 77 as SubscriptionId]) {
        const line = usageLine({
          ...RECORD,
          requestId: model,
          model,
          upstreamModel: model,
          costNanos,
          subscriptionId,
        });
        const parsed = JSON.parse(line) as Record<string, number | null>;
        expect(chargeOf(line)).toEqual({
          userId: parsed["user_id"] as UserId,
          apiKeyId: parsed["api_key_id"] as ApiKeyId,
          subscriptionId: (parsed["subscription_id"] ?? undefined) as SubscriptionId | undefined,
          costNanos: parsed["cost_nanos"] ?? undefined,
        });
      }
    }
  }
});
