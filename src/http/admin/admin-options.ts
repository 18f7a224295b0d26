import type { AccountSpend } from "#accounts/account-spend.ts";
import type { VitalsBoard } from "#coordination/account-vitals.ts";
import type { SessionBindings } from "#coordination/session-bindings.ts";
import type { Slots } from "#coordination/slots.ts";
import type { Clock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import type { Secret } from "#kernel/secret.ts";
import type { Vault } from "#kernel/vault.ts";
import type { Storage } from "#storage/storage.ts";
import type { ChangeNotice, LedgerBacklog } from "#threads/messages.ts";
import type { BaseUrlVerdict } from "#upstream/base-url.ts";

/** What the admin API works with. */
export interface AdminOptions {
  readonly storage: Storage;
  readonly vault: Vault;
  readonly adminToken: Secret;
  /** Judges the base URL of an account before it is stored. */
  readonly checkBaseUrl: (text: string) => Promise<BaseUrlVerdict>;
  /** Tells every thread of a row that was created, changed or deleted; answers when requests see it. */
  readonly announceChange: (change: ChangeNotice) => Promise<void>;
  /** Answers when the usage of everything that has ended is booked. */
  readonly flushLedger: () => Promise<void>;
  /** How far the books are behind, over all threads. */
  readonly backlog: () => Promise<LedgerBacklog>;
  /** From how many bytes on the journal counts as full. */
  readonly journalBytesMax: number;
  readonly slots: Pick<Slots, "status">;
  readonly vitals: Pick<VitalsBoard, "of" | "recoverModels">;
  readonly spend: Pick<AccountSpend, "isQuotaReached" | "windowState" | "quotaResetMs" | "spent">;
  readonly sessions: Pick<SessionBindings, "flush">;
  /** How a recent request came by its answer, as `RequestTrace` describes it; undefined when it is not known. */
  readonly traceOf: (requestId: string) => Promise<object | undefined>;
  readonly clock: Clock;
  readonly log: Log;
}
