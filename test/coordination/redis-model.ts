/** What the processes of the model test of Redis share. */

/** What a node of the model test is started with. */
export interface NodeInit {
  readonly url: string;
  readonly namespace: string;
  readonly node: string;
  readonly holders: number;
  readonly seed: number;
  /** Another Redis, which nothing happens to, and the key under which nodes note there what they hold. */
  readonly shadowUrl: string;
  readonly shadow: string;
}

/** Every holder keeps one limit for the whole run. */
export function limitOf(holder: number): number {
  return 1 + (holder % 5);
}

/**
 * Notes what a node holds, in the shadow: a node notes after it was granted and before it releases, so the sum is never
 * more than what is really held. The most that was ever held at once is kept.
 */
export const NOTE = `
redis.call('HINCRBY', KEYS[1] .. ':' .. ARGV[1], ARGV[2], ARGV[3])
local sum = redis.call('HINCRBY', KEYS[1], ARGV[2], ARGV[3])
local most = tonumber(redis.call('HGET', KEYS[1] .. ':most', ARGV[2]) or '0')
if sum > most then redis.call('HSET', KEYS[1] .. ':most', ARGV[2], sum) end`;

/** Forgets what a node held that has died. */
export const FORGET = `
local held = redis.call('HGETALL', KEYS[1] .. ':' .. ARGV[1])
for index = 1, #held, 2 do redis.call('HINCRBY', KEYS[1], held[index], 0 - held[index + 1]) end
redis.call('DEL', KEYS[1] .. ':' .. ARGV[1])`;
