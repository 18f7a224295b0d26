import type { AccountSpend } from "#accounts/account-spend.ts";
import type { Choice } from "#accounts/choice.ts";
import { AccountSelector, type SelectedAccount, type Selection } from "#accounts/select-account.ts";
import type { Coordination } from "#coordination/coordination.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { openLocalCoordination } from "#coordination/local/open.ts";
import type { Account } from "#domain/account.ts";
import type { Group } from "#domain/group.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { DEFAULT_SETTINGS, type RuntimeSettings } from "#domain/settings.ts";
import type { Clock } from "#kernel/clock.ts";
import { Secret } from "#kernel/secret.ts";

/** A moment in the middle of a minute, in milliseconds since the Unix epoch. */
export const NOON = Date.UTC(2027, 0, 15, 12, 0, 30);

/** A group as it is made without any choices. */
export function groupWith(part: Partial<Group> = {}): Group {
  return {
    id: 1 as GroupId,
    name: "pool",
    platform: "anthropic",
    status: "active",
    rateMultiplierNanos: 1_000_000_000n,
    claudeCodeOnly: false,
    fallbackGroupId: undefined,
    fallbackGroupIdOnInvalidRequest: undefined,
    modelRouting: undefined,
    subscriptionType: "standard",
    windowLimits: { "1d": undefined, "7d": undefined, "30d": undefined },
    ...part,
  };
}

/** An account as it is made without any choices. */
export function accountWith(part: Partial<Omit<Account, "id">> & { readonly id: number }): Account {
  const concurrency = part.concurrency ?? 3;
  return {
    name: `account ${part.id}`,
    platform: "anthropic",
    type: "api_key",
    status: "active",
    schedulable: true,
    baseUrl: undefined,
    groupIds: [1 as GroupId],
    concurrency,
    priority: 50,
    modelMapping: undefined,
    expiresAtMs: undefined,
    loadFactor: Math.max(1, concurrency),
    rateMultiplierNanos: 1_000_000_000n,
    quota: undefined,
    windowCost: undefined,
    rpm: undefined,
    sessions: undefined,
    userMessageQueue: undefined,
    interceptsWarmup: false,
    unschedulableRules: [],
    handledStatuses: undefined,
    isPool: false,
    credential: new Secret("sk-upstream"),
    ...part,
    id: part.id as AccountId,
  };
}

interface PoolParts {
  readonly accounts: readonly Account[];
  readonly group?: Group;
  readonly settings?: Partial<RuntimeSettings>;
  readonly spend?: Partial<Pick<AccountSpend, "isQuotaReached" | "windowState" | "quotaResetMs">>;
  readonly waitMsMax?: number;
  readonly waitersMax?: number;
}

/** A selector over a pool of accounts in shared memory, with a clock that stands still until it is told. */
export class TestPool {
  readonly coordination: Coordination;
  readonly selector: AccountSelector;
  readonly group: Group;
  readonly choices: Choice[] = [];
  accounts: readonly Account[];
  nowMs = NOON;
  #version = 1;

  constructor(parts: PoolParts) {
    this.accounts = parts.accounts;
    this.group = parts.group ?? groupWith();
    const clock: Clock = { now: () => this.nowMs, monotonic: () => performance.now() };
    this.coordination = openLocalCoordination(testMemory(), 0);
    const pool = this;
    this.selector = new AccountSelector({
      snapshot: {
        accountsOf: () => pool.accounts,
        get accountsVersion() {
          return pool.#version;
        },
        settings: { ...DEFAULT_SETTINGS, ...parts.settings },
      },
      coordination: this.coordination,
      spend: {
        isQuotaReached: () => false,
        windowState: () => "open",
        quotaResetMs: () => undefined,
        ...parts.spend,
      } as unknown as AccountSpend,
      clock,
      waitMsMax: parts.waitMsMax ?? 1_000,
      waitersMax: parts.waitersMax ?? 100,
    });
  }

  /** Puts other accounts in the place of those there are, as an operator would. */
  replace(accounts: readonly Account[]): void {
    this.accounts = accounts;
    this.#version++;
  }

  async select(part: Partial<Selection> = {}): Promise<SelectedAccount> {
    return await this.selector.select({
      group: this.group,
      model: "claude-sonnet-4-6",
      sessionKey: "session",
      isMessage: true,
      exclude: new Set(),
      pin: undefined,
      signal: new AbortController().signal,
      onChoice: (choice) => this.choices.push(choice),
      ...part,
    });
  }

  /** The id of the account that a request gets, whose slot is given back at once. */
  async chosen(part: Partial<Selection> = {}): Promise<number> {
    const { account, lease } = await this.select(part);
    lease.release();
    return account.id;
  }

  vitals(id: number) {
    return this.coordination.vitals.of(id as AccountId);
  }

  /** What the latest choice found about an account. */
  finding(id: number): string | undefined {
    const described = this.choices.at(-1)?.describe();
    return described?.candidates.find(({ account_id }) => account_id === id)?.finding;
  }
}

function testMemory(): SharedArrayBuffer {
  return MemoryMap.create({ threads: 2, rows: 4_096, entriesPerThread: 4_096 }).buffer;
}
