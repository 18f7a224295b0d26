import type { AccountClaims } from "#coordination/account-claims.ts";
import type { VitalsBoard } from "#coordination/account-vitals.ts";
import type { Holds } from "#coordination/holds.ts";
import type { SessionBindings } from "#coordination/session-bindings.ts";
import type { Slots } from "#coordination/slots.ts";
import type { Clock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import { RedisClaims } from "./claims.ts";
import { RedisHolds } from "./holds.ts";
import { allChannel, keyBase, wakeChannel } from "./keys.ts";
import { Leadership } from "./leadership.ts";
import { RedisLink } from "./link.ts";
import { Membership } from "./membership.ts";
import { NewsExchange } from "./news.ts";
import type { NodeHolds, NodeSlots, NodeVitals } from "./node.ts";
import { RedisSessions } from "./sessions.ts";
import { RedisSlots } from "./slots.ts";
import type { RedisTarget } from "./target.ts";

/** Longest the first connection is waited for, in milliseconds. Later ones are made on the side. */
const OPEN_MS_MAX = 5_000;

/** Leases of a member that has ended that are given back in one step; a thread has no more. */
const BURIED_MAX = 32_768;

/** What one thread's view of Redis works with. */
export interface RedisParts {
  readonly target: RedisTarget;
  /** Gateways that share a Redis without belonging together have different ones. */
  readonly namespace: string;
  /** This thread's life, as no other is called: the node, the thread and its life, with dots between. */
  readonly member: string;
  /** The life of this thread's index before, which has certainly ended. */
  readonly predecessor: string | undefined;
  /** This node's own. */
  readonly slots: NodeSlots;
  readonly sessions: SessionBindings;
  readonly vitals: NodeVitals;
  readonly claims: AccountClaims;
  readonly holds: NodeHolds;
  /** Who this thread answers for costs as, in every life; first its own name, then those it has taken over. */
  readonly owners: readonly [string, ...string[]];
  readonly clock: Clock;
  readonly log: Log;
}

/** One thread's view of what all nodes share. */
export interface RedisCoordination {
  readonly slots: Slots;
  readonly sessions: SessionBindings;
  readonly vitals: VitalsBoard;
  readonly claims: AccountClaims;
  readonly holds: Holds;
  readonly link: RedisLink;
  close(): Promise<void>;
}

/**
 * Opens one thread's view of Redis.
 *
 * @throws RedisDown when Redis does not answer at first; afterwards it may come and go.
 */
export async function openRedisCoordination(parts: RedisParts): Promise<RedisCoordination> {
  const { target, namespace, member, clock, log, vitals } = parts;
  const base = keyBase(namespace);
  const news = new NewsExchange({ vitals, member, clock });
  const membership = new Membership({ member, log, onJoin: (link) => restate(link) });
  const restate = async (link: RedisLink): Promise<void> => {
    await holds.restate(link);
    await news.catchUp(link);
  };
  const link: RedisLink = new RedisLink({
    target,
    base,
    name: `sluice:${member}`,
    channels: [wakeChannel(base, member), allChannel(base)],
    log,
    onMessage: (channel, message) => {
      const isToAll = channel === allChannel(base);
      if (!(isToAll && news.heard(message))) membership.heard(message, isToAll);
    },
    onReturn: async (returning) => {
      await membership.join(returning);
      queueMicrotask(() => slots.returned());
    },
    onLoss: () => membership.lost(),
  });
  const nodes = (): number => news.nodes;
  const sessions = new RedisSessions(link, parts.sessions, clock);
  const slots = new RedisSlots({ link, membership, local: parts.slots, sessions, nodes, clock });
  const { owners } = parts;
  const holds = new RedisHolds({ link, membership, local: parts.holds, owners, nodes, clock });
  const claims = new RedisClaims({ link, membership, slots, sessions, vitals, local: parts.claims, nodes });
  await link.open(OPEN_MS_MAX);
  if (parts.predecessor !== undefined) link.tell("bury", parts.predecessor, BURIED_MAX);
  membership.attach(link);
  news.attach(link);
  const leadership = new Leadership(link, member, log);
  leadership.start();
  return {
    slots,
    sessions,
    vitals,
    claims,
    holds,
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
