import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { NO_USAGE, type UsageRecord } from "#domain/usage-record.ts";
import type { SubscriptionRow } from "#storage/repositories/subscriptions.ts";
import type { Storage } from "#storage/storage.ts";
import type { Written } from "#storage/written.ts";

/** The row of a change that must have succeeded. */
export function rowOf<Row>(result: Written<Row>): Row {
  if (!result.ok) throw new Error(`unexpected conflict: ${JSON.stringify(result.conflict)}`);
  return result.row;
}

/** A text no other test uses. */
export const unique = (prefix: string): string => `${prefix}-${Bun.randomUUIDv7()}`;

/** A group, user, account and key of its own for one test. */
export async function newCast(storage: Storage): Promise<{
  readonly userId: UserId;
  readonly groupId: GroupId;
  readonly accountId: AccountId;
  readonly apiKeyId: ApiKeyId;
}> {
  const user = rowOf(await storage.users.create({ name: "Ada", balanceNanos: 1_000_000_000n }));
  const group = rowOf(await storage.groups.create({ name: unique("group"), platform: "anthropic" }));
  const account = rowOf(
    await storage.accounts.create({
      id: await storage.accounts.nextId(),
      name: "main",
      platform: "anthropic",
      type: "api_key",
      credentialsSealed: "sealed",
      groupIds: [group.id],
    }),
  );
  const apiKey = rowOf(
    await storage.apiKeys.create({
      userId: user.id,
      groupId: group.id,
      name: "laptop",
      keyHash: unique("hash"),
      keyHint: "wxyz",
    }),
  );
  return { userId: user.id, groupId: group.id, accountId: account.id, apiKeyId: apiKey.id };
}

/** A subscription of a cast's user in its group, for a long time to come. */
export async function newSubscription(
  storage: Storage,
  { userId, groupId }: Pick<UsageRecord, "userId" | "groupId">,
): Promise<SubscriptionRow> {
  const expiresAtMs = Date.UTC(2099, 0, 1);
  return rowOf(await storage.subscriptions.create({ userId, groupId, expiresAtMs }));
}

/** A completed request of one nano-dollar, with what matters to a test replaced. */
export function recordOf(
  cast: Pick<UsageRecord, "userId" | "groupId" | "apiKeyId" | "accountId">,
  changes: Partial<UsageRecord> = {},
): UsageRecord {
  return {
    ...NO_USAGE,
    ...cast,
    requestId: unique("req"),
    model: "claude-test",
    upstreamModel: "claude-test",
    upstreamRequestId: undefined,
    costNanos: 1n,
    accountCostNanos: undefined,
    subscriptionId: undefined,
    status: "completed",
    httpStatus: 200,
    stream: false,
    usageComplete: true,
    durationMs: 12,
    firstTokenMs: undefined,
    attempts: 1,
    attemptsDetail: [],
    createdAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    ...changes,
  };
}
