import type { Config } from "#config/config.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { reapThread } from "#coordination/local/reap.ts";
import type { FlushableLog } from "#kernel/log.ts";
import { newRequestId } from "#kernel/random.ts";
import type { EmbeddedDatabase } from "#storage/engines/embedded.ts";
import type { Storage } from "#storage/storage.ts";
import { Crew } from "#threads/crew.ts";
import type {
  BookedNotice,
  ChangeNotice,
  HttpThreadApi,
  HttpThreadInit,
  LedgerThreadApi,
  ParseThreadApi,
} from "#threads/messages.ts";
import { bookedText } from "./booked-text.ts";
import { ChangeWatch } from "./change-watch.ts";
import { NodeReport } from "./node-report.ts";
import { logFormatOf } from "./process-log.ts";
import { seatOf } from "./seat.ts";
import { settled } from "./settled.ts";

const HTTP_WORKER = new URL("../workers/http.ts", import.meta.url);
const PARSE_WORKER = new URL("../workers/parse.ts", import.meta.url);
const LEDGER_WORKER = new URL("../workers/ledger.ts", import.meta.url);

/** Rows of shared memory for what is created later: users and accounts have two each, keys and subscriptions one. */
const ROWS_HEADROOM = 65_536;
/** Leases and waiters one thread can have at once. A request uses two. */
const ENTRIES_PER_THREAD = 32_768;
/** Limits of asking threads, in milliseconds. */
const APPLY_MS_MAX = 5_000;
const TRACE_MS_MAX = 2_000;
const LEDGER_MS_MAX = 4_000;
/** What asking a thread may take beyond what the thread itself waits for, in milliseconds. */
const LINK_SLACK_MS = 500;
/** Time for draining beyond the grace, in milliseconds: settling and booking. */
const DRAIN_EXTRA_MS = 15_000;

/** The kinds of threads a node has, besides the embedded database's. */
export type ThreadKind = "http" | "parse" | "ledger";

/** What a node is made of. */
export interface NodeParts {
  readonly config: Config;
  readonly log: FlushableLog;
  readonly databaseUrl: string;
  readonly embedded: EmbeddedDatabase | undefined;
  /** Rows of shared memory that everything there is at start needs. */
  readonly rows: number;
  readonly adminToken: string;
  readonly encryptionKey: string;
  readonly trustedOrigins: readonly string[];
  readonly upstreamRequestsMax: number;
  /** The node, by the name that it keeps. */
  readonly nodeId: string;
  /** Where changes are on record, for other nodes; undefined: this node is alone. */
  readonly storage: Pick<Storage, "changes" | "close"> | undefined;
}

/** The threads of one process and what they ask of each other. */
export class Node {
  readonly #parts: NodeParts;
  readonly #memory: MemoryMap;
  readonly #http: Crew<HttpThreadApi>;
  readonly #parse: Crew<ParseThreadApi>;
  readonly #ledger: Crew<LedgerThreadApi>;
  readonly #report: NodeReport;
  readonly #watch: ChangeWatch | undefined;
  /** How often each HTTP thread was started. */
  readonly #lives: number[] = [];
  readonly #startedAs = newRequestId().slice(-12);
  #port: number;
  #isDraining = false;
  #hasFailed = false;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    const { config } = parts;
    this.#port = config.port;
    this.#memory = MemoryMap.create({
      threads: config.httpThreads + 1,
      rows: parts.rows + ROWS_HEADROOM,
      entriesPerThread: ENTRIES_PER_THREAD,
    });
    this.#ledger = this.#ledgerCrew();
    this.#parse = this.#parseCrew();
    this.#http = this.#httpCrew();
    this.#report = new NodeReport({
      http: this.#http,
      upstreamRequestsMax: parts.upstreamRequestsMax,
      isDraining: () => this.#isDraining,
      hasLedger: () => this.#ledger.links.length > 0,
      threadRestarts: () => this.#http.restarts + this.#parse.restarts + this.#ledger.restarts,
    });
    const { storage, log } = parts;
    const apply = (change: ChangeNotice): Promise<void> => this.#announce(change);
    this.#watch = storage && new ChangeWatch({ changes: storage.changes, apply, log });
  }

  get url(): string {
    const { host } = this.#parts.config;
    const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
    return `http://${shown.includes(":") ? `[${shown}]` : shown}:${this.#port}`;
  }

  async start(): Promise<void> {
    await this.#watch?.start();
    await this.#ledger.start();
    await this.#parse.start();
    await this.#http.start();
    void this.#parts.embedded?.exited.then(({ isExpected }) => {
      if (isExpected) return;
      this.#parts.log.error("database.died", {
        reason: "the embedded database has ended; restart the gateway",
      });
    });
  }

  /** Ends a thread at whatever it is doing; it is replaced like any that dies. */
  terminateThread(kind: ThreadKind, index: number): void {
    const crews = { http: this.#http, parse: this.#parse, ledger: this.#ledger };
    crews[kind].terminate(index);
  }

  async stop(): Promise<void> {
    this.#isDraining = true;
    this.#watch?.stop();
    const { config, embedded, storage } = this.#parts;
    const graceMs = config.shutdownGraceSeconds * 1_000;
    const drains = this.#http.links.map((link) => link.ask("drain", graceMs + DRAIN_EXTRA_MS, graceMs));
    for (const { status, reason } of await settled(drains)) {
      if (status === "rejected") this.#fail("shutdown.drain_failed", reason);
    }
    for (const { status, reason } of await settled(
      this.#ledger.links.map((link) => link.ask("close", LEDGER_MS_MAX)),
    )) {
      if (status === "rejected") this.#fail("shutdown.ledger_failed", reason);
    }
    this.#http.stop();
    this.#parse.stop();
    this.#ledger.stop();
    await storage?.close();
    await embedded?.close();
    if (this.#hasFailed) throw new Error("not everything could be drained and booked");
  }

  #fail(event: string, reason: string): void {
    this.#hasFailed = true;
    this.#parts.log.error(event, { reason });
  }

  #httpCrew(): Crew<HttpThreadApi> {
    const { config, log } = this.#parts;
    return new Crew<HttpThreadApi>({
      name: "http",
      size: config.httpThreads,
      workerUrl: HTTP_WORKER,
      log,
      initOf: (index) => this.#httpInit(index),
      serve: (link) =>
        link.serve({
          announceChange: (change: ChangeNotice) => this.#announceToAll(change),
          flushLedger: () => this.#flushLedger(),
          backlog: () => this.#report.backlog(),
          trace: (requestId: string) => this.#trace(requestId),
          metricsText: () => this.#report.metricsText(),
          problems: () => this.#report.problems(),
          limitations: () => this.#report.limitations(),
        }),
      onReady: (index, answer) => {
        this.#port = (answer as { port: number }).port;
        for (let parser = 0; parser < config.parseThreads; parser++) this.#introduce(index, parser);
        this.#openBooks(index);
      },
      onDeath: async (index) => {
        const leases = await reapThread(this.#memory, index, config.httpThreads);
        if (!this.#isDraining) log.warn("thread.leases_returned", { thread: index, leases });
      },
    });
  }

  #parseCrew(): Crew<ParseThreadApi> {
    const { config, log } = this.#parts;
    return new Crew<ParseThreadApi>({
      name: "parse",
      size: config.parseThreads,
      workerUrl: PARSE_WORKER,
      log,
      initOf: () => undefined,
      serve: () => undefined,
      onReady: (index) => {
        for (let http = 0; http < config.httpThreads; http++) this.#introduce(http, index);
      },
      onDeath: (index) => {
        for (const http of this.#http.links) http.tell("disconnectParser", index);
      },
    });
  }

  /** Gives an HTTP thread and a parse thread a channel of their own. */
  #introduce(httpIndex: number, parseIndex: number): void {
    const http = this.#http.link(httpIndex);
    const parser = this.#parse.link(parseIndex);
    if (http === undefined || parser === undefined) return;
    const { port1, port2 } = new MessageChannel();
    parser.hand("connect", port1);
    http.hand("connectParser", port2, parseIndex);
  }

  /** Gives an HTTP thread its channel to the ledger thread. */
  #openBooks(httpIndex: number): void {
    const http = this.#http.link(httpIndex);
    const ledger = this.#ledger.link(0);
    if (http === undefined || ledger === undefined) return;
    const { port1, port2 } = new MessageChannel();
    ledger.hand("connect", port1);
    http.hand("connectLedger", port2);
  }

  async #flushLedger(): Promise<void> {
    await Promise.all(
      this.#http.links.map((link) => link.ask("flushLedger", LEDGER_MS_MAX + LINK_SLACK_MS, LEDGER_MS_MAX)),
    );
  }

  #ledgerCrew(): Crew<LedgerThreadApi> {
    const { config, databaseUrl, log } = this.#parts;
    return new Crew<LedgerThreadApi>({
      name: "ledger",
      size: 1,
      workerUrl: LEDGER_WORKER,
      log,
      initOf: () => ({
        databaseUrl,
        dataDir: config.dataDir,
        logLevel: config.logLevel,
        logFormat: logFormatOf(config),
      }),
      serve: (link) =>
        link.serve({
          announceBooked: (booked: BookedNotice) => {
            for (const http of this.#http.links) http.tell("applyBooked", booked);
            this.#tellNodes("booked", bookedText(booked));
          },
        }),
      onReady: () => {
        for (let http = 0; http < config.httpThreads; http++) this.#openBooks(http);
      },
      onDeath: () => undefined,
    });
  }

  #httpInit(thread: number): HttpThreadInit {
    const { config, databaseUrl, adminToken, encryptionKey, trustedOrigins, nodeId } = this.#parts;
    const life = (this.#lives[thread] ?? 0) + 1;
    this.#lives[thread] = life;
    return {
      seat: seatOf(config, { nodeId, startedAs: this.#startedAs, thread, life }),
      config,
      databaseUrl,
      adminToken,
      encryptionKey,
      memory: this.#memory.buffer,
      thread,
      port: this.#port,
      trustedOrigins,
      logFormat: logFormatOf(config),
    };
  }

  /** Tells this node's threads, which have read it when this is done, and the other nodes. */
  async #announceToAll(change: ChangeNotice): Promise<void> {
    await this.#watch?.record(change);
    this.#tellNodes("change", JSON.stringify(change));
    await this.#announce(change);
  }

  #tellNodes(topic: "change" | "booked", text: string): void {
    if (this.#watch !== undefined) this.#http.links[0]?.tell("tellNodes", topic, text);
  }

  async #announce(change: ChangeNotice): Promise<void> {
    await Promise.all(this.#http.links.map((link) => link.ask("applyChange", APPLY_MS_MAX, change)));
  }

  /** Only the thread that served a request knows its trace. */
  async #trace(requestId: string): Promise<object | undefined> {
    const answers = await Promise.allSettled(
      this.#http.links.map((link) => link.ask("trace", TRACE_MS_MAX, requestId)),
    );
    return answers.map((answer) => (answer.status === "fulfilled" ? answer.value : undefined)).find(Boolean);
  }
}
