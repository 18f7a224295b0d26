import type { CohortMember, Cohorts } from "#kernel/cohorts.ts";
import { Fault } from "#kernel/fault.ts";
import type { StallListener, StallWatch, Watch } from "#kernel/stall-watch.ts";

/** Most bytes that are read and thrown away so that a client in mid-upload gets to see its 413. */
const DISCARD_BYTES_MAX = 67_108_864;

/** Limits of reading a request body. */
export interface BodyLimits {
  readonly bytesMax: number;
  readonly readMs: number;
}

/** Whoever has a body read. */
export interface BodyOwner {
  /** Requests whose bodies are there go on together. */
  readonly arrivals: Cohorts;
  /** Called when the body will not be read to its end. */
  onGivenUp(): void;
}

/**
 * Reads a whole request body.
 *
 * @throws Fault `parse.body_too_large` whether the size was declared or not, `parse.body_unreadable` when
 * the client broke off or took too long.
 */
export function readBody(
  request: Request,
  { bytesMax, readMs }: BodyLimits,
  stallWatch: StallWatch,
  owner?: BodyOwner,
): Promise<Uint8Array> {
  return new BodyReading({ bytesMax, readMs }, stallWatch, owner).read(request);
}

/** One body being read. Every request comes by here: there are as few promises and closures as can be. */
class BodyReading implements StallListener, CohortMember {
  readonly #limits: BodyLimits;
  readonly #watch: Watch;
  readonly #owner: BodyOwner | undefined;
  readonly #body = Promise.withResolvers<Uint8Array>();
  #isTooLarge = false;
  #bytes: Uint8Array | undefined;

  constructor(limits: BodyLimits, stallWatch: StallWatch, owner: BodyOwner | undefined) {
    this.#limits = limits;
    this.#owner = owner;
    this.#watch = stallWatch.watch(this);
  }

  read(request: Request): Promise<Uint8Array> {
    const { bytesMax, readMs } = this.#limits;
    const declared = Number(request.headers.get("content-length") ?? Number.NaN);
    this.#isTooLarge = declared > bytesMax;
    this.#watch.arm(readMs);
    if (this.#isTooLarge) void discard(request).then(() => this.onStall());
    else if (declared <= bytesMax) request.bytes().then(this.#onRead, this.#onFailed);
    else readCounted(request, bytesMax).then(this.#onRead, this.#onFailed);
    return this.#body.promise;
  }

  onStall(): void {
    this.#onFailed(this.#isTooLarge ? tooLarge(this.#limits.bytesMax) : tookTooLong());
  }

  /** A drain waits for requests that still arrive, as long as it lasts. */
  onBreakOff(): void {}

  readonly #onRead = (body: Uint8Array): void => {
    this.#watch.close();
    this.#bytes = body;
    if (this.#owner === undefined) this.goOn();
    else this.#owner.arrivals.enter(this);
  };

  goOn(): void {
    if (this.#bytes !== undefined) this.#body.resolve(this.#bytes);
  }

  readonly #onFailed = (thrown: unknown): void => {
    this.#watch.close();
    this.#owner?.onGivenUp();
    this.#body.reject(thrown instanceof Fault ? thrown : brokenOff(thrown));
  };
}

async function readCounted(request: Request, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of request.body ?? []) {
    total += chunk.length;
    if (total <= bytesMax) chunks.push(chunk);
    else if (total > bytesMax + DISCARD_BYTES_MAX) break;
  }
  if (total > bytesMax) throw tooLarge(bytesMax);
  return Buffer.concat(chunks);
}

/** A client that is still sending does not look for an answer; closing on it would lose the answer. */
async function discard(request: Request): Promise<void> {
  let total = 0;
  try {
    for await (const chunk of request.body ?? []) {
      total += chunk.length;
      if (total > DISCARD_BYTES_MAX) return;
    }
  } catch {
    // The client broke off by itself: there is nobody left to answer.
  }
}

function brokenOff(cause: unknown): Fault {
  return new Fault("parse.body_unreadable", { internal: "the body broke off", cause });
}

function tookTooLong(): Fault {
  return new Fault("parse.body_unreadable", { internal: "took too long" });
}

function tooLarge(bytesMax: number): Fault {
  return new Fault("parse.body_too_large", {
    publicMessage: `Request body exceeds the limit of ${bytesMax} bytes`,
  });
}
