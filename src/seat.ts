import type { Config } from "#config/config.ts";
import type { ThreadSeat } from "#threads/messages.ts";

/** Threads that a node can have at most, of the setting's bounds: an earlier start may have had as many. */
const THREADS_MAX = 64;

interface ThreadLife {
  readonly nodeId: string;
  /** Tells this start of the node from others. */
  readonly startedAs: string;
  readonly thread: number;
  /** From 1. */
  readonly life: number;
}

/**
 * A thread's place among all that share Redis. It answers for the costs of its own index, and for those of indexes that
 * a start with more threads has left, as it takes over their journals.
 */
export function seatOf(
  { redis, redisNamespace, httpThreads }: Pick<Config, "redis" | "redisNamespace" | "httpThreads">,
  { nodeId, startedAs, thread, life }: ThreadLife,
): ThreadSeat | undefined {
  if (redis === undefined) return undefined;
  const nameOf = (number: number): string => `${nodeId}.${thread}.${startedAs}-${number}`;
  const inherited: string[] = [];
  for (let index = thread + httpThreads; index < THREADS_MAX; index += httpThreads) {
    inherited.push(`${nodeId}.${index}`);
  }
  return {
    target: redis,
    namespace: redisNamespace,
    node: nodeId,
    member: nameOf(life),
    predecessor: life > 1 ? nameOf(life - 1) : undefined,
    owners: [`${nodeId}.${thread}`, ...inherited],
  };
}
