/**
 * What Sluice keeps in Redis, by which names, and the only file that knows it. The scripts get the names from here.
 *
 * Every key begins with `sluice:<version of this layout>:{<namespace>}`. The braces keep all of a gateway's keys on
 * one shard of a Redis Cluster, because one step may concern a user, a conversation and several accounts. Versions of
 * Sluice that lay things out differently do not see each other's keys.
 */

const LAYOUT_VERSION = 1;

/** A member or a node that has not been heard of for this long is dead, in milliseconds of Redis' clock. */
const DEAD_MS = 10_000;
/** How often a member says that it lives, in milliseconds. */
export const BEAT_MS = 2_000;
/**
 * Longest wait for members that have not said what they hold since Redis could not be asked or has forgotten, in
 * milliseconds: two signs of life and a pause between tries to connect.
 */
const SETTLE_MS = 5_000;

/** Behind the base of all keys. Those that end in a colon are followed by whose they are. */
const KEY = {
  /** Sorted set: members by when they were last heard of. A member is one thread of one node, from start to end. */
  members: ":members",
  /** Hash of members: names of leases below this number are of a life of its connection that has ended. */
  floors: ":floors",
  /** Hash, while not everybody has said what it holds: since when, until when at most, and how many have to. */
  settling: ":settling",
  /** String: the member that looks after the others. */
  leader: ":leader",
  /** Hash of a member: its leases, those that wait included, and whose slots they are of. */
  leases: ":leases:",
  /** Sorted set of a holder: leases that have a slot, by when they got it. */
  held: ":held:",
  /** Sorted set of a holder: leases that wait, by their ticket. */
  line: ":line:",
  /** Hash of a holder: its limit, and the last ticket that was drawn. */
  terms: ":terms:",
  /** String of a conversation: the account that it is bound to. */
  bound: ":bound:",
  /** Sorted set: accounts by when they were last used. */
  used: ":used",
  /** String of an account and a minute: how many requests it got. */
  minute: ":minute:",
  /** Sorted set of an account: its active conversations, by when they were last seen. */
  active: ":active:",
  /** String of an account: the member that may find out whether it has recovered. */
  probe: ":probe:",
  /** Hash of a purse: what the books say, and the sums of what is held and of what is not booked. */
  purse: ":purse:",
  /** Hash of a purse: holds and their amounts. */
  holds: ":holds:",
  /** Sorted set of a purse: holds by when they end. */
  ends: ":ends:",
  /** Hash of a purse: who answers for how much that is not booked. */
  shares: ":shares:",
  /** Set of one who answers for costs: the purses that they are of. */
  answers: ":answers:",
  /** Hash of a task that only one may do: who does it, until when, and with which token. */
  office: ":office:",
  /** Hash: what was last told of accounts' rests and circuits. */
  news: ":news",
} as const;

/** Channels, behind the base of all keys. */
const CHANNEL = {
  /** Of a member: leases that have come out of a line. */
  wake: ":wake:",
  /** What concerns all members. */
  all: ":all",
} as const;

/** Said to all members when all of them have to say that they are there. */
export const CALL = "call";
/** Said to all members when all of them have said so. */
export const SETTLED = "settled";

/** How accounts are used, and by how many nodes, told to all members: what such a message begins with. */
export const FIGURES = "figures ";
/** What one node says to the others: what such a message begins with. */
export const WORD = "word ";
/** What is new about accounts, told to all members: what such a message begins with. */
export const NEWS = "news ";

/** A leader that has been silent for this long is followed by another, in milliseconds. */
const LEADER_MS = 3_000;
/** Accounts that nobody has used for this long are not told of, in milliseconds. */
const USED_KEPT_MS = 600_000;
/** How long the requests of a minute are kept, in milliseconds. */
const MINUTE_KEPT_MS = 120_000;

/** Stands before a purse where otherwise a holder is named. */
const PURSE_MARK = "$";

/** Holders' terms are forgotten when nothing has asked for them for this long, in milliseconds. */
const TERMS_MS = 86_400_000;

/** A ticket is the moment it was drawn at in this many parts of a millisecond, or one more than the last. */
const TICKETS_PER_MS = 1_000;

/** What the scripts know of this file, as Lua. */
export const LAYOUT_AS_LUA = [
  luaTable("KEY", KEY),
  luaTable("CHANNEL", CHANNEL),
  `local DEAD_MS = ${DEAD_MS}`,
  `local TERMS_MS = ${TERMS_MS}`,
  `local TICKETS_PER_MS = ${TICKETS_PER_MS}`,
  `local LEADER_MS = ${LEADER_MS}`,
  `local USED_KEPT_MS = ${USED_KEPT_MS}`,
  `local MINUTE_KEPT_MS = ${MINUTE_KEPT_MS}`,
  `local PURSE = '${PURSE_MARK}'`,
  `local FIGURES = '${FIGURES}'`,
  `local SETTLE_MS = ${SETTLE_MS}`,
  `local CALL = '${CALL}'`,
  `local SETTLED = '${SETTLED}'`,
].join("\n");

/** What all keys of one gateway begin with. Letters, digits and `-` in the namespace, because patterns are made of it. */
export function keyBase(namespace: string): string {
  return `sluice:${LAYOUT_VERSION}:{${namespace}}`;
}

/** The channel that wakes a member. */
export function wakeChannel(base: string, member: string): string {
  return `${base}${CHANNEL.wake}${member}`;
}

/** The channel that all members listen to. */
export function allChannel(base: string): string {
  return `${base}${CHANNEL.all}`;
}

function luaTable(name: string, fields: Readonly<Record<string, string>>): string {
  const entries = Object.entries(fields).map(([field, value]) => `${field} = '${value}'`);
  return `local ${name} = { ${entries.join(", ")} }`;
}
