import type { AccountId, UserId } from "#domain/ids.ts";
import { QUARTERS_KEPT_MS } from "#domain/quarter-spend.ts";
import { assert } from "#kernel/assert.ts";
import { systemClock } from "#kernel/clock.ts";
import { Link, type Port } from "#threads/link.ts";
import type {
  BookedNotice,
  ChangeNotice,
  HttpThreadApi,
  HttpThreadInit,
  LedgerAnswer,
  LedgerMessage,
  MainThreadApi,
} from "#threads/messages.ts";
import { buildApp } from "./app.ts";
import { bookedOf } from "./booked-text.ts";
import { composeHttpThread, type HttpThreadRooms } from "./compose.ts";

/** After the grace, how long answers have to be told of it and end, in milliseconds. */
const END_MS_MAX = 1_000;
/** After the grace, how long broken-off requests have to settle, in milliseconds, and how often that is looked at. */
const SETTLE_MS_MAX = 5_000;
const SETTLE_STEP_MS = 20;
/** Pause before a change that could not be read is read again, in milliseconds. */
const CHANGE_RETRY_MS = 250;
const REASON_LENGTH_MAX = 200;
/** How long booking what is left may take, in milliseconds. */
const FLUSH_MS_MAX = 5_000;

interface Running {
  readonly rooms: HttpThreadRooms;
  readonly app: ReturnType<typeof buildApp>;
}

/** What runs in an HTTP thread: the whole gateway, on the port all of them share. */
export function runHttpThread(port: Port): void {
  const main = new Link<MainThreadApi>(port);
  const running = Promise.withResolvers<Running>();
  let changes = Promise.resolve();
  /** One after the other: two readings of one row must not end with the older one. */
  const applyInTurn = (rooms: HttpThreadRooms, change: ChangeNotice): Promise<void> => {
    changes = changes.then(() => applyUntilDone(rooms, change));
    return changes;
  };
  const api: HttpThreadApi = {
    start: async (init) => {
      running.resolve(await start(init as HttpThreadInit, main));
      listenToNodes((await running.promise).rooms, applyInTurn);
      const { app } = await running.promise;
      assert(app.server?.port, "a listening server has a port");
      return { port: app.server.port };
    },
    applyChange: async (change) => applyInTurn((await running.promise).rooms, change),
    applyBooked: async (booked) => applyBooked((await running.promise).rooms, booked),
    tellNodes: async (topic, text) => (await running.promise).rooms.coordination.broadcast?.tell(topic, text),
    redis: async () => (await running.promise).rooms.redis(),
    connectParser: async (port, index) => (await running.promise).rooms.parser.connect(index, port),
    disconnectParser: async (index) => (await running.promise).rooms.parser.disconnect(index),
    connectLedger: async (port) => connectLedger((await running.promise).rooms, port),
    flushLedger: async (limitMs) => (await running.promise).rooms.ledger.flush(limitMs),
    accountSlots: async () => (await running.promise).rooms.snapshot.accountSlots() ?? 0,
    backlog: async () => {
      const { ledger } = (await running.promise).rooms;
      return { ...ledger.backlog(), canAccept: ledger.canAccept() };
    },
    trace: async (requestId) => (await running.promise).rooms.services.traces.describe(requestId),
    metrics: async () => (await running.promise).rooms.services.metrics.registry.getMetricsAsJSON(),
    drain: async (graceMs) => drain(await running.promise, graceMs),
  };
  main.serve(api);
}

async function start(init: HttpThreadInit, main: Link<MainThreadApi>): Promise<Running> {
  const rooms = await composeHttpThread(init, main);
  reportStrayErrors(rooms);
  const rests = await rooms.snapshot.load();
  for (const { id, untilMs, reason } of rests) rooms.coordination.vitals.of(id).cool(untilMs, reason);
  rooms.spend.load(await rooms.storage.accountSpend.load(systemClock.now() - QUARTERS_KEPT_MS));
  // Before the first hold is taken, what this thread's journal still has counts again.
  await rooms.holdDesk?.recount(rooms.journal.peek());
  const app = buildApp(rooms.appOptions);
  await app.modules;
  app.listen({ hostname: init.config.host, port: init.port });
  return { rooms, app };
}

/** One request's stray error must not end the thread that serves all the others. */
function reportStrayErrors({ log }: HttpThreadRooms): void {
  const report = (thrown: unknown): void => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    log.error("thread.stray_error", { reason: error.message, stack: error.stack });
  };
  process.on("unhandledRejection", report);
  process.on("uncaughtException", report);
}

/** What other nodes have changed and booked is taken over like what this one has. */
function listenToNodes(
  rooms: HttpThreadRooms,
  applyInTurn: (rooms: HttpThreadRooms, change: ChangeNotice) => Promise<void>,
): void {
  const { broadcast } = rooms.coordination;
  if (broadcast === undefined) return;
  broadcast.onHeard = (topic, text) => {
    if (topic === "booked") applyBooked(rooms, bookedOf(text));
    else void applyInTurn(rooms, JSON.parse(text) as ChangeNotice);
  };
}

function applyBooked({ snapshot, spend }: HttpThreadRooms, booked: BookedNotice): void {
  snapshot.applyBooked(booked);
  spend.apply(booked.spends);
}

/** A change that could not be read is tried again until it is: a key that was disabled must not go on working. */
async function applyUntilDone(rooms: HttpThreadRooms, change: ChangeNotice): Promise<void> {
  while (!rooms.state.isDraining) {
    try {
      return await applyChange(rooms, change);
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message.slice(0, REASON_LENGTH_MAX) : String(thrown);
      rooms.log.error("snapshot.change_unread", { kind: change.kind, id: change.id, reason });
      await Bun.sleep(CHANGE_RETRY_MS);
    }
  }
}

/** Reads the row again; a changed limit also counts for those who stand in line already. */
async function applyChange({ snapshot, coordination }: HttpThreadRooms, change: ChangeNotice): Promise<void> {
  await snapshot.apply(change as Parameters<typeof snapshot.apply>[0]);
  const { kind, id } = change;
  if (kind !== "user" && kind !== "account") return;
  const holder = kind === "user" ? snapshot.user(id as UserId) : snapshot.account(id as AccountId);
  if (holder !== undefined) coordination.slots.setLimit({ kind, id }, holder.concurrency);
}

function connectLedger(rooms: HttpThreadRooms, port: MessagePort): void {
  const { ledger } = rooms;
  port.onmessage = ({ data }) => {
    const { batch, changes } = data as LedgerAnswer;
    // First what the books say now: the costs that are in them are let go of with it.
    for (const booked of changes) applyBooked(rooms, booked);
    ledger.booked(batch);
  };
  ledger.connect({
    record: (batch, lines) => port.postMessage({ batch, lines: lines.join("\n") } satisfies LedgerMessage),
    hurry: () => port.postMessage("hurry" satisfies LedgerMessage),
  });
}

/** Stops accepting, lets open answers finish, ends the rest with an error, and books everything. */
async function drain({ rooms, app }: Running, graceMs: number): Promise<void> {
  const { coordination, ledger, limits, log, services, state, storage, upstream } = rooms;
  state.isDraining = true;
  const stopped = app.server?.stop();
  await Promise.race([stopped, Bun.sleep(graceMs)]);
  limits.drainMs = 0;
  services.stallWatch.breakOff();
  await Promise.race([stopped, Bun.sleep(END_MS_MAX)]);
  await app.server?.stop(true);
  for (let ms = 0; ms < SETTLE_MS_MAX && services.metrics.inFlight > 0; ms += SETTLE_STEP_MS) {
    await Bun.sleep(SETTLE_STEP_MS);
  }
  await ledger.flush(FLUSH_MS_MAX);
  ledger.close();
  await coordination.close();
  upstream.close();
  await storage.close();
  log.flush();
}
