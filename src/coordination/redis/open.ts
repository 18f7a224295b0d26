import type { SessionBindings } from "#coordination/session-bindings.ts";
import type { Slots } from "#coordination/slots.ts";
import type { Clock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import { allChannel, keyBase, wakeChannel } from "./keys.ts";
import { RedisLink } from "./link.ts";
import { Membership } from "./membership.ts";
import type { NodeSlots } from "./node-slots.ts";
import { RedisSessions } from "./sessions.ts";
import { RedisSlots } from "./slots.ts";
import type { RedisTarget } from "./target.ts";

/** Longest the first connection is waited for, in milliseconds. Later ones are made on the side. */
const OPEN_MS_MAX = 5_000;

/** What one thread's view of Redis works with. */
export interface RedisParts {
  readonly target: RedisTarget;
  /** Gateways that share a Redis without belonging together have different ones. */
  readonly namespace: string;
  /** This thread's life, as no other is called; without `/`. */
  readonly member: string;
  /** This node's own slots. */
  readonly slots: NodeSlots;
  /** How many nodes there were when that was last known. */
  readonly nodes: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

/** One thread's view of what all nodes share. */
export interface RedisCoordination {
  readonly slots: Slots;
  readonly sessions: SessionBindings;
  readonly link: RedisLink;
  close(): Promise<void>;
}

/**
 * Opens one thread's view of Redis.
 *
 * @throws RedisDown when Redis does not answer at first; afterwards it may come and go.
 */
export async function openRedisCoordination(parts: RedisParts): Promise<RedisCoordination> {
  const { target, namespace, member, clock, log, nodes } = parts;
  const base = keyBase(namespace);
  const membership = new Membership({ member, log, onJoin: async () => undefined });
  const link: RedisLink = new RedisLink({
    target,
    base,
    name: `sluice:${member}`,
    channels: [wakeChannel(base, member), allChannel(base)],
    log,
    onMessage: (channel, message) => membership.heard(message, channel === allChannel(base)),
    onReturn: async (returning) => {
      await membership.join(returning);
      queueMicrotask(() => slots.returned());
    },
    onLoss: () => membership.lost(),
  });
  const sessions = new RedisSessions(link, clock);
  const slots = new RedisSlots({ link, membership, local: parts.slots, sessions, nodes, clock });
  await link.open(OPEN_MS_MAX);
  membership.attach(link);
  return {
    slots,
    sessions,
    link,
    close: async () => {
      membership.detach();
      await link.close();
    },
  };
}
