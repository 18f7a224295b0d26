/** A thread of the hammer test: probes, counts, binds and finds as fast as it can. */
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { LocalSessions } from "#coordination/local/sessions.ts";
import { LocalVitals } from "#coordination/local/vitals.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { systemClock } from "#kernel/clock.ts";
import { COUNTED, type HammerInit, PROBED, PROBERS, RIGHT, SESSIONS, WRONG } from "./hammer.ts";
import { Shuffle } from "./shuffle.ts";

declare const self: Worker;

const HOUR_MS = 3_600_000;
/** Every account of a conversation says which one it belongs to. */
const ACCOUNTS_PER_SESSION = 10;

self.onmessage = ({ data }: MessageEvent<HammerInit>): void => {
  const hammer = new Hammer(data);
  for (let round = 0; data.rounds === 0 || round < data.rounds; round++) hammer.strike(round);
  self.postMessage("done");
};

class Hammer {
  readonly #init: HammerInit;
  readonly #tally: Int32Array;
  readonly #sessions: LocalSessions;
  readonly #vitals: LocalVitals;
  readonly #shuffle: Shuffle;

  constructor(init: HammerInit) {
    const memory = new MemoryMap(init.memory);
    this.#init = init;
    this.#tally = new Int32Array(init.tally);
    this.#sessions = new LocalSessions(memory, init.thread, systemClock);
    this.#vitals = new LocalVitals(memory, init.thread, systemClock);
    this.#shuffle = new Shuffle(init.thread);
  }

  strike(round: number): void {
    const { nowMs, rounds } = this.#init;
    if (rounds > 0) {
      this.#vitals.of(COUNTED as AccountId).countRequest(nowMs);
      this.#probe(round % PROBED);
    }
    this.#bindOrFind(this.#shuffle.below(SESSIONS));
  }

  #probe(index: number): void {
    const { nowMs } = this.#init;
    const isProber = this.#vitals.of((index + 1) as AccountId).tryProbe(nowMs, HOUR_MS);
    if (isProber) Atomics.add(this.#tally, PROBERS + index, 1);
  }

  #bindOrFind(index: number): void {
    const session = { groupId: (1 + (index % 3)) as GroupId, sessionKey: `session ${index}` };
    const mine = (index * ACCOUNTS_PER_SESSION + 1 + this.#init.thread) as AccountId;
    const kind = this.#shuffle.below(10);
    if (kind < 4) this.#sessions.bind(session, mine, HOUR_MS);
    else if (kind < 5) this.#sessions.unbind(session, mine);
    const found = this.#sessions.find(session);
    if (found === undefined) return;
    const isRight = Math.floor(found / ACCOUNTS_PER_SESSION) === index;
    Atomics.add(this.#tally, isRight ? RIGHT : WRONG, 1);
  }
}
