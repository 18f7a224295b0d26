import type { Config } from "#config/config.ts";
import type { RedisTarget } from "#config/redis-url.ts";
import type { Booked } from "#domain/booked.ts";
import type { CrewMember } from "./crew.ts";

/** A row that was created, changed or deleted, told from thread to thread. */
export interface ChangeNotice {
  readonly kind: "user" | "group" | "account" | "api-key" | "subscription" | "error-rule" | "settings";
  /** 0 where the kind has no rows of its own. */
  readonly id: number;
}

/** What a booking changed, told to every HTTP thread. */
export type BookedNotice = Booked;

/** How a thread stands with Redis. */
export interface RedisView {
  readonly isUp: boolean;
  /** How often it could not be asked. */
  readonly losses: number;
  /** Why, the last time. */
  readonly reason: string;
  /** Nodes that were there when that was last known. */
  readonly nodes: number;
}

/** A thread's place among all that share Redis; plain data, as its backend takes it. */
export interface ThreadSeat {
  readonly target: RedisTarget;
  readonly namespace: string;
  readonly node: string;
  readonly member: string;
  readonly predecessor: string | undefined;
  readonly owners: readonly [string, ...string[]];
}

/** What an HTTP thread is started with. */
export interface HttpThreadInit {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly adminToken: string;
  readonly encryptionKey: string;
  readonly memory: SharedArrayBuffer;
  readonly thread: number;
  readonly port: number;
  /** Undefined: this node is alone. */
  readonly seat: ThreadSeat | undefined;
  /** Origins exempt from the outbound guard: the demo upstream of this very process. */
  readonly trustedOrigins: readonly string[];
  /** Log lines as JSON or for people; decided where the terminal is known. */
  readonly logFormat: "pretty" | "json";
}

/** What the ledger thread is started with. */
export interface LedgerThreadInit {
  readonly databaseUrl: string;
  readonly dataDir: string;
  readonly logLevel: Config["logLevel"];
  readonly logFormat: "pretty" | "json";
}

/** What a thread has recorded that is not booked yet. */
export interface LedgerBacklog {
  readonly records: number;
  readonly bytes: number;
  /** Age of the oldest record, in milliseconds. */
  readonly oldestMs: number;
  /** False while records of new requests could not be kept safe. */
  readonly canAccept: boolean;
}

/** What the main thread may ask of an HTTP thread. */
export interface HttpThreadApi extends CrewMember {
  start(init: HttpThreadInit): Promise<{ readonly port: number }>;
  /** Reads a row again. Answers when requests see the change. */
  applyChange(change: ChangeNotice): Promise<void>;
  /** Takes over what the ledger has booked. */
  applyBooked(booked: BookedNotice): void;
  /** Puts a parse thread into service. */
  connectParser(port: MessagePort, index: number): void;
  /** A parse thread has died. */
  disconnectParser(index: number): void;
  /** Hands over the channel to the ledger thread. */
  connectLedger(port: MessagePort): void;
  /** Answers when everything recorded so far is booked; fails after `limitMs`. */
  flushLedger(limitMs: number): Promise<void>;
  /** Requests at once that all accounts allow together; 0 when one of them is unlimited. */
  accountSlots(): Promise<number>;
  /** How far the books are behind this thread's requests. */
  backlog(): Promise<LedgerBacklog>;
  /** Tells all other nodes. */
  tellNodes(topic: "change" | "booked", text: string): void;
  /** How it stands with Redis; undefined: this node is alone. */
  redis(): Promise<RedisView | undefined>;
  /** How a recent request came by its answer; undefined when this thread does not know it. */
  trace(requestId: string): object | undefined;
  /** This thread's metrics, in prom-client's JSON form. */
  metrics(): Promise<unknown>;
  /** Stops accepting, lets open requests finish for at most this long, then breaks them off. */
  drain(graceMs: number): Promise<void>;
}

/** What the main thread may ask of a parse thread. */
export interface ParseThreadApi extends CrewMember {
  /** Serves one HTTP thread over this port. */
  connect(port: MessagePort): void;
}

/** Records on their way from an HTTP thread to the ledger. */
interface LedgerBatch {
  readonly batch: number;
  /** Lines of JSON with line feeds between them: one text crosses at half the cost of many. */
  readonly lines: string;
}

/** What an HTTP thread tells the ledger: a batch, or that what it handed over is wanted booked at once. */
export type LedgerMessage = LedgerBatch | "hurry";

/** A batch is booked, with all before it; and what the transactions have changed that it was part of. */
export interface LedgerAnswer {
  readonly batch: number;
  readonly changes: readonly Booked[];
}

/** What the main thread may ask of the ledger thread. */
export interface LedgerThreadApi extends CrewMember {
  start(init: LedgerThreadInit): Promise<void>;
  /** Takes {@link LedgerMessage}s in over this port, and gives each batch a {@link LedgerAnswer} once it is booked. */
  connect(port: MessagePort): void;
  close(): Promise<void>;
}

/** What an HTTP thread may ask of the main thread. */
export interface MainThreadApi {
  /** Tells every HTTP thread; answers when all of them have applied it. */
  announceChange(change: ChangeNotice): Promise<void>;
  /** Answers when everything that any thread has recorded so far is booked. */
  flushLedger(): Promise<void>;
  /** How far the books are behind, over all threads. */
  backlog(): Promise<LedgerBacklog>;
  /** How a recent request came by its answer, whichever thread served it; undefined when none knows it. */
  trace(requestId: string): Promise<object | undefined>;
  /** Everything that is counted, over all threads, in Prometheus' text form. */
  metricsText(): Promise<string>;
  /** Empty when the process can serve; else what is wrong. */
  problems(): Promise<readonly string[]>;
  /** What the process does without at the moment. */
  limitations(): Promise<readonly string[]>;
}

/** What the ledger thread may ask of the main thread. */
export interface LedgerParentApi {
  /** Tells every HTTP thread. */
  announceBooked(booked: BookedNotice): void;
}
