import { AccountHealth } from "#accounts/account-health.ts";
import { AccountJournal } from "#accounts/account-journal.ts";
import { AccountSpend } from "#accounts/account-spend.ts";
import { AccountSelector } from "#accounts/select-account.ts";
import { billedEligibility, unbilledEligibility } from "#billing/eligibility.ts";
import { HoldDesk } from "#billing/hold-desk.ts";
import { PriceBook } from "#billing/price-book.ts";
import { ThreadLedger } from "#billing/thread-ledger.ts";
import { readAddressSet } from "#config/cidr.ts";
import type { Config } from "#config/config.ts";
import type { Coordination } from "#coordination/coordination.ts";
import type { RuntimeSettings } from "#domain/settings.ts";
import { GatewayMetrics } from "#gateway/metrics.ts";
import { RecentTraces } from "#gateway/recent-traces.ts";
import type { GatewayLimits, GatewayServices } from "#gateway/services.ts";
import { Authenticator } from "#identity/authenticate-key.ts";
import { systemClock } from "#kernel/clock.ts";
import { Cohorts } from "#kernel/cohorts.ts";
import type { Log } from "#kernel/log.ts";
import { Secret } from "#kernel/secret.ts";
import { StallWatch } from "#kernel/stall-watch.ts";
import { Vault } from "#kernel/vault.ts";
import { Snapshot } from "#snapshot/snapshot.ts";
import { journalDirectory } from "#storage/journal/journal-directory.ts";
import { ThreadJournal } from "#storage/journal/thread-journal.ts";
import { openStorage } from "#storage/storage.ts";
import type { Link } from "#threads/link.ts";
import type { HttpThreadInit, MainThreadApi } from "#threads/messages.ts";
import { ParsePool } from "#threads/parse-pool.ts";
import { openUpstream, type Upstream } from "#upstream/send.ts";
import type { AppOptions } from "./app.ts";
import { composeCoordination } from "./compose-coordination.ts";
import { mainThreadOf } from "./main-thread.ts";
import { openProcessLog } from "./process-log.ts";

/** Connections to the database each HTTP thread opens at most: for the admin API and the snapshot. */
const CONNECTIONS_MAX = 2;
/** How exact the time limits of streams are, in milliseconds. */
const STALL_TICK_MS = 250;
/** One HTTP thread's rooms, put together. The only place that picks backends. */
export async function composeHttpThread(init: HttpThreadInit, main: Link<MainThreadApi>) {
  const { config } = init;
  const log = openProcessLog(config.logLevel, init.logFormat);
  const vault = new Vault(init.encryptionKey);
  const storage = openStorage(init.databaseUrl, {
    connectionsMax: CONNECTIONS_MAX,
    name: `sluice http ${init.thread}`,
  });
  const { allowPrivateUpstreams: allowPrivate } = config;
  const snapshot = new Snapshot({ rows: storage.snapshot, vault, log });
  const { coordination, redis } = await composeCoordination(init, log);
  const holdDesk = config.billing === "on" ? holdDeskOf(config, coordination, snapshot) : undefined;
  const journal = journalOf(init, log);
  const rooms = {
    config,
    log,
    vault,
    storage,
    snapshot,
    coordination,
    redis,
    holdDesk,
    journal,
    upstream: openUpstream({ allowPrivate, trustedOrigins: init.trustedOrigins }),
    spend: new AccountSpend(),
    ledger: new ThreadLedger({
      journal,
      clock: systemClock,
      log,
      onBooked: (lines) => holdDesk?.booked(lines),
    }),
    parser: new ParsePool(config.parseOffloadBytes),
    limits: limitsOf(config),
    state: { isDraining: false },
  };
  const mainThread = mainThreadOf(main);
  const accountJournal = new AccountJournal({
    append: (event) => storage.accountEvents.append(event),
    announce: (id) => mainThread.announceChange({ kind: "account", id }),
    log,
  });
  const services = servicesOf({ ...rooms, accountJournal });
  const appOptions: AppOptions = {
    gateway: {
      services,
      bodyLimits: { bytesMax: config.bodyBytesMax, readMs: config.bodyReadSeconds * 1_000 },
      arrivals: new Cohorts(),
      trustedProxies: readAddressSet(config.trustedProxies),
      isDraining: () => rooms.state.isDraining,
    },
    snapshot: rooms.snapshot,
    admin: {
      storage,
      vault,
      log,
      adminToken: new Secret(init.adminToken),
      checkBaseUrl: rooms.upstream.checkBaseUrl,
      ...mainThread,
      journalBytesMax: config.journalBytesMax,
      slots: rooms.coordination.slots,
      vitals: rooms.coordination.vitals,
      sessions: rooms.coordination.sessions,
      spend: rooms.spend,
      clock: systemClock,
    },
    operations: mainThread,
  };
  return { ...rooms, services, appOptions };
}

/** What {@link composeHttpThread} gives. */
export type HttpThreadRooms = Awaited<ReturnType<typeof composeHttpThread>>;

interface RequestRooms extends Pick<GatewayServices, "ledger" | "parser" | "limits" | "log"> {
  readonly config: Config;
  readonly vault: Vault;
  readonly snapshot: Snapshot;
  readonly coordination: Coordination;
  readonly upstream: Pick<Upstream, "send">;
  readonly spend: AccountSpend;
  readonly accountJournal: AccountJournal;
  readonly holdDesk: HoldDesk | undefined;
}

function servicesOf(rooms: RequestRooms): GatewayServices {
  const { config, snapshot, coordination, vault, spend, accountJournal } = rooms;
  const settings = (): RuntimeSettings => snapshot.settings;
  return {
    clock: systemClock,
    log: rooms.log,
    metrics: new GatewayMetrics(),
    stallWatch: new StallWatch(STALL_TICK_MS),
    coordination,
    identity: new Authenticator({ snapshot, vault, clock: systemClock }),
    eligibility: config.billing === "on" ? billedEligibility(snapshot) : unbilledEligibility(snapshot),
    accounts: new AccountSelector({
      snapshot,
      coordination,
      spend,
      clock: systemClock,
      waitMsMax: config.accountWaitSeconds * 1_000,
      waitersMax: config.accountWaitersMax,
    }),
    health: new AccountHealth({
      vitals: coordination.vitals,
      settings,
      clock: systemClock,
      note: (event) => accountJournal.note(event),
    }),
    groups: snapshot,
    settings,
    errorRules: () => snapshot.errorRules,
    traces: new RecentTraces(),
    holdDesk: rooms.holdDesk,
    prices: new PriceBook({ settings, clock: systemClock }),
    ledger: rooms.ledger,
    parser: rooms.parser,
    send: rooms.upstream.send,
    limits: rooms.limits,
  };
}

function holdDeskOf({ userWaitSeconds }: Config, { holds }: Coordination, snapshot: Snapshot): HoldDesk {
  return new HoldDesk({
    holds,
    facts: snapshot,
    settings: () => snapshot.settings,
    clock: systemClock,
    waitMsMax: userWaitSeconds * 1_000,
  });
}

/** Each thread has an equal share of the disk space, and takes over what those before it have left unbooked. */
function journalOf({ config, thread }: HttpThreadInit, log: Log): ThreadJournal {
  const { dataDir, httpThreads, journalBytesMax, journalFsync } = config;
  return new ThreadJournal({
    dir: journalDirectory(dataDir),
    thread,
    adopts: (owner) => owner % httpThreads === thread,
    bytesMax: Math.floor(journalBytesMax / httpThreads),
    isSynced: journalFsync === "interval",
    clock: systemClock,
    log,
  });
}

/** Writable, because a process that shuts down stops draining for usage. */
function limitsOf(config: Config): { -readonly [Name in keyof GatewayLimits]: GatewayLimits[Name] } {
  return {
    firstTokenMs: config.firstTokenSeconds * 1_000,
    responseMs: config.responseSeconds * 1_000,
    idleMs: config.streamIdleSeconds * 1_000,
    clientStallMs: config.clientStallSeconds * 1_000,
    drainMs: config.drainSeconds * 1_000,
    userWaitMs: config.userWaitSeconds * 1_000,
    pingMs: config.pingIntervalSeconds * 1_000,
  };
}
