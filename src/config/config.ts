import { availableParallelism } from "node:os";
import { readAddressSet } from "./cidr.ts";
import {
  choice,
  flag,
  integer,
  optionalKey,
  optionalRedis,
  optionalSecret,
  optionalUrl,
  plainName,
  type Setting,
  word,
} from "./setting.ts";

const CORES = availableParallelism();

/** Comma-separated CIDRs, checked here and kept as text so that they travel between threads. */
function cidrs(variable: string, why: string): Setting<readonly string[]> {
  const read = (raw: string | undefined): readonly string[] => {
    const entries = (raw ?? "").split(",").map((entry) => entry.trim());
    const given = entries.filter((entry) => entry !== "");
    try {
      readAddressSet(given);
    } catch (thrown) {
      throw new Error(`${variable}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
        cause: thrown,
      });
    }
    return given;
  };
  return { variable, why, fallback: "empty", secret: false, read };
}

/** Every environment variable there is. The table in the documentation is printed from here. */
export const SETTINGS = {
  host: word("HOST", "127.0.0.1", "Address to listen on."),
  port: integer("PORT", {
    fallback: 8787,
    min: 0,
    max: 65_535,
    why: "Port to listen on; 0 picks a free one.",
  }),
  databaseUrl: optionalUrl(
    "DATABASE_URL",
    ["postgres", "postgresql"],
    "PostgreSQL. Unset runs the embedded database in `DATA_DIR/postgres`.",
  ),
  redis: optionalRedis(
    "REDIS_URL",
    "Redis, which makes several nodes one gateway: `redis://`, `redis+sentinel://host,host/primary`, `redis+cluster://host,host`, each also with `rediss` for TLS. Needs `DATABASE_URL`. Unset: one node.",
  ),
  redisNamespace: plainName(
    "REDIS_NAMESPACE",
    "main",
    "Tells gateways apart that share a Redis without belonging together.",
  ),
  dataDir: word("DATA_DIR", "./data", "Embedded database, usage journal and generated secrets."),
  adminToken: optionalSecret(
    "ADMIN_TOKEN",
    16,
    "Bearer token of the admin API. Unset: generated into `DATA_DIR/admin.token` and printed once.",
  ),
  encryptionKey: optionalKey(
    "ENCRYPTION_KEY",
    32,
    "Envelope key for stored credentials. Unset: generated into `DATA_DIR/encryption.key`.",
  ),
  httpThreads: integer("HTTP_THREADS", {
    fallback: CORES,
    fallbackText: "number of cores",
    min: 1,
    max: 64,
    why: "Threads that accept requests.",
  }),
  parseThreads: integer("PARSE_THREADS", {
    fallback: Math.max(1, Math.floor(CORES / 2)),
    fallbackText: "max(1, cores / 2)",
    min: 1,
    max: 64,
    why: "Worker pool for parsing and hashing large bodies.",
  }),
  bodyBytesMax: integer("MAX_BODY_BYTES", {
    fallback: 33_554_432,
    min: 1_024,
    max: 1_073_741_824,
    why: "Largest request body; a larger one is answered 413.",
  }),
  parseOffloadBytes: integer("PARSE_OFFLOAD_BYTES", {
    fallback: 32_768,
    min: 0,
    max: 1_073_741_824,
    why: "Bodies below this size are read where they arrive; larger ones on the parse threads, so that reading one does not hold up others for long.",
  }),
  trustedProxies: cidrs("TRUSTED_PROXIES", "CIDRs whose forwarded headers are believed, comma-separated."),
  allowPrivateUpstreams: flag(
    "ALLOW_PRIVATE_UPSTREAMS",
    false,
    "Lets account base URLs resolve to loopback and private ranges.",
  ),
  billing: choice("BILLING", ["on", "off"], {
    fallback: "on",
    why: "`off` only meters: nothing is refused for money.",
  }),
  journalBytesMax: integer("JOURNAL_BYTES_MAX", {
    fallback: 1_073_741_824,
    min: 67_108_864,
    max: 1_099_511_627_776,
    why: "Disk space for usage that is not booked yet, over all threads; when it is used up, new requests are answered 503.",
  }),
  journalFsync: choice("JOURNAL_FSYNC", ["off", "interval"], {
    fallback: "off",
    why: "`interval` makes the disk take the usage journal once a second, for machines that may lose their power. The death of the process loses nothing either way.",
  }),
  logLevel: choice("LOG_LEVEL", ["debug", "info", "warn", "error", "silent"], {
    fallback: "info",
    why: "Least severe log line that is written.",
  }),
  logFormat: choice("LOG_FORMAT", ["auto", "pretty", "json"], {
    fallback: "auto",
    fallbackText: "`pretty` on a terminal, else `json`",
    why: "How log lines look.",
  }),
  userWaitSeconds: integer("USER_WAIT_SECONDS", {
    fallback: 30,
    min: 0,
    max: 3_600,
    why: "Longest wait for one of the user's slots.",
  }),
  accountWaitSeconds: integer("ACCOUNT_WAIT_SECONDS", {
    fallback: 30,
    min: 0,
    max: 3_600,
    why: "Longest wait for an account's slot, where the conversation is not bound to it.",
  }),
  accountWaitersMax: integer("ACCOUNT_WAITERS_MAX", {
    fallback: 100,
    min: 0,
    max: 100_000,
    why: "Most requests that may wait for one account's slot.",
  }),
  pingIntervalSeconds: integer("PING_INTERVAL_SECONDS", {
    fallback: 10,
    min: 1,
    max: 60,
    why: "Pause between the pings that a streaming client gets while it waits for its answer to begin.",
  }),
  firstTokenSeconds: integer("FIRST_TOKEN_TIMEOUT_SECONDS", {
    fallback: 120,
    min: 1,
    max: 3_600,
    why: "Longest wait for the first piece of content of a streamed answer, before another account is tried.",
  }),
  responseSeconds: integer("RESPONSE_TIMEOUT_SECONDS", {
    fallback: 600,
    min: 1,
    max: 3_600,
    why: "Longest wait for an answer that is not streamed.",
  }),
  streamIdleSeconds: integer("STREAM_IDLE_SECONDS", {
    fallback: 180,
    min: 1,
    max: 3_600,
    why: "Longest silence of an upstream within a stream before it counts as stalled.",
  }),
  clientStallSeconds: integer("CLIENT_STALL_SECONDS", {
    fallback: 300,
    min: 1,
    max: 3_600,
    why: "Longest time a client may leave a stream unread before it counts as gone.",
  }),
  bodyReadSeconds: integer("BODY_READ_TIMEOUT_SECONDS", {
    fallback: 120,
    min: 1,
    max: 3_600,
    why: "Longest time a client may take to send its request body.",
  }),
  drainSeconds: integer("DRAIN_SECONDS", {
    fallback: 30,
    min: 0,
    max: 600,
    why: "How long a stream whose client left is read on for its usage.",
  }),
  shutdownGraceSeconds: integer("SHUTDOWN_GRACE_SECONDS", {
    fallback: 30,
    min: 0,
    max: 3_600,
    why: "How long open streams may finish after SIGTERM.",
  }),
} as const;

type Settings = typeof SETTINGS;

/** The environment, read once and frozen. Plain data, so it can be handed to a thread. */
export type Config = {
  readonly [Name in keyof Settings]: Settings[Name] extends Setting<infer T> ? T : never;
};

/** The environment holds values that the gateway must not start with; the message lists every one. */
export class BadConfig extends Error {
  constructor(problems: readonly string[]) {
    super(
      `The environment has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join("\n")}`,
    );
    this.name = "BadConfig";
  }
}

/**
 * Reads the environment once, at start.
 *
 * @throws BadConfig that lists every problem, not only the first.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const entries = Object.entries(SETTINGS).map(([name, setting]) => {
    try {
      return [name, setting.read(env[setting.variable])];
    } catch (thrown) {
      problems.push(thrown instanceof Error ? thrown.message : String(thrown));
      return [name, undefined];
    }
  });
  const config = Object.freeze(Object.fromEntries(entries)) as Config;
  if (config.redis !== undefined) problems.push(...clusterProblems(config));
  if (problems.length > 0) throw new BadConfig(problems);
  return config;
}

function clusterProblems({ databaseUrl }: Config): readonly string[] {
  return databaseUrl === undefined
    ? ["REDIS_URL needs DATABASE_URL: the embedded database belongs to one node"]
    : [];
}
