import type { AccountHealth } from "#accounts/account-health.ts";
import type { AccountSelector } from "#accounts/select-account.ts";
import type { Eligibility } from "#billing/eligibility.ts";
import type { HoldDesk } from "#billing/hold-desk.ts";
import type { Ledger } from "#billing/ledger.ts";
import type { PriceBook } from "#billing/price-book.ts";
import type { Coordination } from "#coordination/coordination.ts";
import type { ErrorRule } from "#domain/error-rule.ts";
import type { RuntimeSettings } from "#domain/settings.ts";
import type { Send } from "#domain/upstream-request.ts";
import type { Authenticator } from "#identity/authenticate-key.ts";
import type { Clock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import type { StallWatch } from "#kernel/stall-watch.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";
import type { ParsePool } from "#threads/parse-pool.ts";
import type { GatewayMetrics } from "./metrics.ts";
import type { RecentTraces } from "./recent-traces.ts";
import type { StreamLimits } from "./stream-relay.ts";

/** What the stages need from the house, as small as each of them allows. */
export interface GatewayServices {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: GatewayMetrics;
  readonly stallWatch: StallWatch;
  readonly coordination: Pick<Coordination, "slots">;
  readonly identity: Pick<Authenticator, "authenticate" | "identify" | "renew">;
  readonly eligibility: Eligibility;
  readonly accounts: Pick<AccountSelector, "select" | "soonestRetryMs">;
  readonly health: AccountHealth;
  readonly groups: Pick<Snapshot, "group" | "accountsOf" | "rateMultiplierNanos">;
  /** The settings as they are now. */
  readonly settings: () => RuntimeSettings;
  /** The error rules as they are now, in the order in which they are tried. */
  readonly errorRules: () => readonly ErrorRule[];
  readonly traces: RecentTraces;
  readonly prices: Pick<PriceBook, "priceOf">;
  /** Sets money aside for requests; undefined where they are only metered, and none is refused for money. */
  readonly holdDesk: Pick<HoldDesk, "take" | "foresee" | "giveBack" | "noteAnswer"> | undefined;
  readonly ledger: Pick<Ledger, "record" | "recordTogether" | "checkRoom">;
  readonly parser: Pick<ParsePool, "read">;
  readonly send: Send;
  readonly limits: GatewayLimits;
}

/** Bounds of the request path; times in milliseconds. */
export interface GatewayLimits extends StreamLimits {
  /** Longest wait for an answer that is not streamed. */
  readonly responseMs: number;
  /** Longest wait for one of the user's slots. */
  readonly userWaitMs: number;
  /** Pause between the pings that a waiting client gets. */
  readonly pingMs: number;
}
