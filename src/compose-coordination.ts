import type { Coordination } from "#coordination/coordination.ts";
import { openLocalCoordination } from "#coordination/local/open.ts";
import { openRedisCoordination } from "#coordination/redis/open.ts";
import { systemClock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import type { HttpThreadInit, RedisView } from "#threads/messages.ts";

/** What coordinates a thread with the others, and how it stands with Redis, where there is one. */
export interface ComposedCoordination {
  readonly coordination: Coordination;
  readonly redis: () => RedisView | undefined;
}

/** Picks the backend: this node's memory, and Redis on top of it where there is one. */
export async function composeCoordination(
  { memory: buffer, thread, seat }: Pick<HttpThreadInit, "memory" | "thread" | "seat">,
  log: Log,
): Promise<ComposedCoordination> {
  const local = openLocalCoordination(buffer, thread, ({ requestId, purse, amountNanos }) =>
    log.error("hold.expired", { request_id: requestId, purse: purse.kind, amount_nanos: amountNanos }),
  );
  if (seat === undefined) return { coordination: local, redis: () => undefined };
  const { memory, slots, sessions, vitals, claims, holds } = local;
  const parts = { slots, sessions, vitals, claims, holds, count: memory, clock: systemClock, log };
  const shared = await openRedisCoordination(seat, parts);
  const close = async (): Promise<void> => {
    await shared.close();
    await local.close();
  };
  const { link } = shared;
  return {
    coordination: { ...shared, close },
    redis: () => ({ isUp: link.isUp, losses: link.losses, reason: link.reason, nodes: memory.nodes }),
  };
}
