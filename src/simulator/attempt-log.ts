import type { Clock } from "#kernel/clock.ts";
import type { AttemptRecord, Outcome } from "./attempt.ts";
import type { IncomingRequest } from "./request-reader.ts";
import { addUsage, NO_USAGE, type Usage } from "./usage.ts";

/** Attempts remembered unless told otherwise; older ones are forgotten first. */
const ATTEMPTS_KEPT_MAX = 200_000;
/** Number of latest attempts whose bodies are kept. */
const BODIES_KEPT_MAX = 256;
/** Longest body kept, in bytes, unless told otherwise. */
const KEPT_BODY_BYTES_MAX = 256 * 1024;
/** Models and keys that are counted one by one; what comes after is counted under {@link OTHERS}. */
const NAMES_COUNTED_MAX = 10_000;
const OTHERS = "(others)";

/** Attempts in flight now, the most there were at once, and all there ever were. */
export interface Traffic {
  readonly inFlight: number;
  readonly maxInFlight: number;
  readonly total: number;
}

/** How much of the past is kept. */
export interface AttemptLogLimits {
  readonly attemptsMax?: number | undefined;
  readonly bodyBytesMax?: number | undefined;
}

type Counter = { -readonly [Name in keyof Traffic]: Traffic[Name] };

/** Remembers what the simulator was asked, how it ended, and what it cost. */
export class AttemptLog {
  readonly #clock: Clock;
  readonly #attemptsMax: number;
  readonly #bodyBytesMax: number;
  /** A ring once it is full: an attempt lies at its sequence modulo the size. */
  #records: AttemptRecord[] = [];
  #firstSequence = 1;
  #nextSequence = 1;
  #traffic: Counter = { inFlight: 0, maxInFlight: 0, total: 0 };
  readonly #byKey = new Map<string, Counter>();
  readonly #bill = new Map<string, Usage>();

  constructor(
    clock: Clock,
    { attemptsMax = ATTEMPTS_KEPT_MAX, bodyBytesMax = KEPT_BODY_BYTES_MAX }: AttemptLogLimits,
  ) {
    this.#clock = clock;
    this.#attemptsMax = attemptsMax;
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** Opens the record of a request that has just been read. */
  begin({ head, body }: IncomingRequest, apiKey: string | undefined): AttemptRecord {
    const record: AttemptRecord = {
      sequence: this.#nextSequence,
      receivedAtMs: this.#clock.now(),
      endedAtMs: undefined,
      outcome: undefined,
      method: head.method,
      path: head.query === "" ? head.path : `${head.path}?${head.query}`,
      headerText: head.headerText,
      apiKey,
      bodyBytes: body.length,
      body: body.length <= this.#bodyBytesMax ? body : undefined,
      plan: undefined,
      model: undefined,
      stream: false,
      status: undefined,
      bytesSent: 0,
      usage: NO_USAGE,
    };
    this.#nextSequence += 1;
    this.#records[record.sequence % this.#attemptsMax] = record;
    const outdated = this.#find(record.sequence - BODIES_KEPT_MAX);
    if (outdated !== undefined) outdated.body = undefined;
    enter(this.#traffic);
    enter(this.#counterOf(apiKey));
    return record;
  }

  /** Closes a record and adds its tokens to the bill. */
  end(record: AttemptRecord, outcome: Outcome): void {
    record.outcome = outcome;
    record.endedAtMs = this.#clock.now();
    this.#traffic.inFlight -= 1;
    this.#counterOf(record.apiKey).inFlight -= 1;
    const isForgotten = record.sequence < this.#firstSequence;
    if (isForgotten || record.model === undefined || record.usage === NO_USAGE) return;
    const name = countedName(this.#bill, record.model);
    this.#bill.set(name, addUsage(this.#bill.get(name) ?? NO_USAGE, record.usage));
  }

  /** Attempts still remembered whose sequence is above the given one, oldest first, at most so many. */
  since(sequence: number, countMax: number): AttemptRecord[] {
    const oldest = Math.max(this.#firstSequence, this.#nextSequence - this.#attemptsMax, sequence + 1);
    const newest = Math.min(this.#nextSequence - 1, oldest + countMax - 1);
    const found: AttemptRecord[] = [];
    for (let at = oldest; at <= newest; at += 1) {
      const record = this.#find(at);
      if (record !== undefined) found.push(record);
    }
    return found;
  }

  /** Attempts of one key that are in flight now. */
  inFlight(apiKey: string | undefined): number {
    return this.#counterOf(apiKey).inFlight;
  }

  /** Counts of attempts, over all and by API key (`""` for none). */
  traffic(): Traffic & { readonly byKey: Readonly<Record<string, Traffic>> } {
    const byKey = [...this.#byKey].map(([key, counter]) => [key, { ...counter }] as const);
    return { ...this.#traffic, byKey: Object.fromEntries(byKey) };
  }

  /** Tokens of all ended attempts by model. */
  bill(): Readonly<Record<string, Usage>> {
    return Object.fromEntries(this.#bill);
  }

  /** Forgets the past. What is in flight stays counted as such but is billed to nobody. */
  reset(): void {
    this.#records = [];
    this.#firstSequence = this.#nextSequence;
    this.#bill.clear();
    this.#traffic = restarted(this.#traffic);
    for (const [key, counter] of this.#byKey) {
      if (counter.inFlight === 0) this.#byKey.delete(key);
      else this.#byKey.set(key, restarted(counter));
    }
  }

  #find(sequence: number): AttemptRecord | undefined {
    const record = this.#records[sequence % this.#attemptsMax];
    return record?.sequence === sequence ? record : undefined;
  }

  #counterOf(apiKey: string | undefined): Counter {
    const name = countedName(this.#byKey, apiKey ?? "");
    const known = this.#byKey.get(name);
    if (known !== undefined) return known;
    const fresh: Counter = { inFlight: 0, maxInFlight: 0, total: 0 };
    this.#byKey.set(name, fresh);
    return fresh;
  }
}

function enter(counter: Counter): void {
  counter.total += 1;
  counter.inFlight += 1;
  counter.maxInFlight = Math.max(counter.maxInFlight, counter.inFlight);
}

function restarted({ inFlight }: Counter): Counter {
  return { inFlight, maxInFlight: inFlight, total: 0 };
}

function countedName(counted: ReadonlyMap<string, unknown>, name: string): string {
  return counted.has(name) || counted.size < NAMES_COUNTED_MAX ? name : OTHERS;
}
