import { Cluster, Redis } from "ioredis";
import type { RedisTarget } from "#config/redis-url.ts";
import { randomBelow } from "#kernel/random.ts";

/** A connection, or several where it is to a cluster. */
export type RedisClient = Redis | Cluster;

/** Longest a connection may take to be made, in milliseconds. */
const CONNECT_MS_MAX = 1_000;
/** Pauses between tries to connect, in milliseconds: doubling from the least, and up to as much again by chance. */
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1_000;

/**
 * Makes a client that never queues, never repeats a command, and connects anew for as long as it is open. Nothing is
 * sent before {@link RedisClient.connect}.
 */
export function makeClient(target: RedisTarget, name: string): RedisClient {
  const options = {
    ...target.options,
    connectionName: name,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: CONNECT_MS_MAX,
    keepAlive: CONNECT_MS_MAX,
    retryStrategy: retryMs,
    // A primary that was demoted says so once; the next connection asks the sentinels anew.
    reconnectOnError: ({ message }: Error) => message.startsWith("READONLY"),
  };
  if (target.kind === "single") return new Redis({ ...options, host: target.host, port: target.port });
  if (target.kind === "sentinel") {
    const { sentinels, primary: name } = target;
    return new Redis({ ...options, sentinels: [...sentinels], name, sentinelRetryStrategy: retryMs });
  }
  return new Cluster([...target.seeds], {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryMs,
    // The connections to single nodes are the cluster's to open and to queue for.
    redisOptions: {
      ...target.options,
      connectionName: name,
      connectTimeout: CONNECT_MS_MAX,
      keepAlive: CONNECT_MS_MAX,
    },
  });
}

function retryMs(attempt: number): number {
  const most = Math.min(RETRY_MS_MIN * 2 ** attempt, RETRY_MS_MAX);
  return most + randomBelow(most);
}
