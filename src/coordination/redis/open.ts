import type { RedisTarget } from "#config/redis-url.ts";
import type { AccountClaims } from "#coordination/account-claims.ts";
import type { Coordination } from "#coordination/coordination.ts";
import type { SessionBindings } from "#coordination/session-bindings.ts";
import type { Clock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import { RedisBroadcast } from "./broadcast.ts";
import { RedisClaims } from "./claims.ts";
import { RedisHolds } from "./holds.ts";
import { allChannel, keyBase, wakeChannel } from "./keys.ts";
import { Leadership } from "./leadership.ts";
import { RedisLink } from "./link.ts";
import { Membership } from "./membership.ts";
import { NewsExchange } from "./news.ts";
import type { NodeHolds, NodeSlots, NodeVitals } from "./node.ts";
import { RedisSessions } from "./sessions.ts";
import { RedisSingleFlight } from "./single-flight.ts";
import { RedisSlots } from "./slots.ts";

/**
 * Longest the first connection is waited for, in milliseconds, and all that others have to say after Redis could not be
 * asked. Later connections are made on the side.
 */
const OPEN_MS_MAX = 10_000;

/** Leases of a member that has ended that are given back in one step; a thread has no more. */
const BURIED_MAX = 32_768;

/** One thread's place among all that share Redis. Plain data, so that it can be handed to a thread. */
export interface Seat {
  readonly target: RedisTarget;
  /** Gateways that share a Redis without belonging together have different ones. */
  readonly namespace: string;
  /** The node, by the name that it keeps. */
  readonly node: string;
  /** This thread's life, as no other is called: the node, the thread and its life, with dots between. */
  readonly member: string;
  /** The life of this thread's index before, which has certainly ended. */
  readonly predecessor: string | undefined;
  /** Who this thread answers for costs as, in every life; first its own name, then those it has taken over. */
  readonly owners: readonly [string, ...string[]];
}

/** What one thread's view of Redis works with, besides its seat. */
export interface RedisParts {
  /** This node's own. */
  readonly slots: NodeSlots;
  readonly sessions: SessionBindings;
  readonly vitals: NodeVitals;
  readonly claims: AccountClaims;
  readonly holds: NodeHolds;
  /** How many nodes there are, kept where all threads of this node see it. */
  readonly count: { nodes: number };
  readonly clock: Clock;
  readonly log: Log;
}

/** One thread's view of what all nodes share. */
export interface RedisCoordination extends Coordination {
  readonly link: RedisLink;
}

/**
 * Opens one thread's view of Redis. A node's first threads need Redis to answer; one that takes a dead one's place does
 * without until it does.
 *
 * @throws RedisDown when Redis does not answer and this is a thread's first life.
 */
export async function openRedisCoordination(seat: Seat, parts: RedisParts): Promise<RedisCoordination> {
  const { member, predecessor } = seat;
  const { clock, log } = parts;
  const base = keyBase(seat.namespace);
  const rooms = roomsOf(seat, parts, base);
  const { link, membership, news, broadcast } = rooms;
  membership.attach(link);
  news.attach(link);
  broadcast.attach(link);
  const opened = link.open(OPEN_MS_MAX);
  if (predecessor === undefined) await opened;
  else opened.catch((thrown: unknown) => log.warn("redis.absent", { reason: String(thrown) }));
  const leadership = new Leadership(link, member, log);
  leadership.start();
  return {
    slots: rooms.slots,
    sessions: rooms.sessions,
    vitals: parts.vitals,
    claims: rooms.claims,
    holds: rooms.holds,
    singleFlight: new RedisSingleFlight(link, member, clock),
    broadcast,
    link,
    close: async () => {
      leadership.stop();
      news.detach();
      membership.detach();
      await link.ask("bury", member, BURIED_MAX).catch(() => undefined);
      await link.close();
    },
  };
}

function roomsOf({ target, node, member, predecessor, owners }: Seat, parts: RedisParts, base: string) {
  const { clock, log, vitals, count } = parts;
  const nodes = (): number => count.nodes;
  const noteCounts = (known: number, members: number): void => {
    count.nodes = known;
    membership.noteMembers(members);
  };
  const news = new NewsExchange({ vitals, member, clock, noteCounts });
  const broadcast = new RedisBroadcast(node);
  const membership = new Membership({
    member,
    log,
    hasServed: predecessor !== undefined,
    restate: (returning) => holds.restate(returning),
    catchUp: (returning) => news.catchUp(returning),
  });
  let buries = predecessor;
  const link: RedisLink = new RedisLink({
    target,
    base,
    name: `sluice:${member}`,
    channels: [wakeChannel(base, member), allChannel(base)],
    clock,
    log,
    onMessage: (channel, message) => {
      const isToAll = channel === allChannel(base);
      const isTaken = isToAll && (news.heard(message) || broadcast.heard(message));
      if (!isTaken) membership.heard(message, isToAll);
    },
    onReturn: async (returning) => {
      if (buries !== undefined) await returning.askReturning("bury", buries, BURIED_MAX);
      buries = undefined;
      await membership.join(returning);
      await membership.settled(returning);
    },
    onUp: () => slots.returned(),
    onLoss: () => membership.lost(),
  });
  const sessions = new RedisSessions(link, parts.sessions, clock);
  const holds = new RedisHolds({ link, membership, local: parts.holds, owners, nodes, clock });
  const slots = new RedisSlots({
    link,
    membership,
    local: parts.slots,
    sessions,
    holds,
    vitals,
    nodes,
    clock,
  });
  const claims = new RedisClaims({ link, membership, slots, sessions, vitals, local: parts.claims, nodes });
  return { link, membership, news, broadcast, sessions, slots, holds, claims };
}
