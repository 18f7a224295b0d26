import type { TokenUsage, UsageStatus } from "#domain/usage-record.ts";
import type { Clock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import type { StallWatch, Watch } from "#kernel/stall-watch.ts";
import { Wakeup } from "#kernel/wakeup.ts";
import type { StreamError, StreamMeter } from "#protocols/stream-meter.ts";
import type { StreamEnding } from "./call-stages.ts";
import { ClientEvents, type ClientEventsOptions } from "./client-events.ts";
import type { UpstreamCall } from "./upstream-call.ts";

/** How far the meter may run ahead of the client, in bytes: the most one slow client can make us buffer. */
const METER_LEAD_BYTES_MAX = 1_048_576;

/** How often it is told what the answer has used so far, in bytes of it: some hundred tokens. */
const USED_STEP_BYTES = 4_096;

/** Time limits of a stream, in milliseconds. */
export interface StreamLimits {
  /** From sending the request to the first piece of content. */
  readonly firstTokenMs: number;
  readonly idleMs: number;
  readonly clientStallMs: number;
  readonly drainMs: number;
}

/** What is used of a reader; Bun's own type and the DOM's disagree on the rest. */
export interface ChunkReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

interface RelayParts extends ClientEventsOptions {
  readonly upstream: ReadableStream<Uint8Array>;
  readonly meter: StreamMeter;
  readonly call: UpstreamCall;
  /** Aborts when the client leaves. */
  readonly clientSignal: AbortSignal;
  readonly stallWatch: StallWatch;
  readonly clock: Clock;
  readonly limits: StreamLimits;
  /** What an error that the upstream tells of within its stream means. */
  readonly readError: (error: StreamError) => Fault;
  /** Told now and then what the answer has used so far; undefined: nobody wants to know. */
  readonly onUsed: ((usage: TokenUsage) => void) | undefined;
  /** The client's side has ended: its last byte has gone, or it has left. */
  readonly onClientEnd: () => void;
}

/**
 * Streams an upstream's answer to the client and meters it on the way.
 *
 * The body is teed: one branch is the client's, unchanged, the other the meter's, which never runs more
 * than {@link METER_LEAD_BYTES_MAX} ahead. When the client leaves, the meter reads on for the usage, up to
 * the drain limit; an upstream that has sent nothing yet is cancelled at once. An answer that cannot be
 * completed is ended with an error event, never left looking whole.
 *
 * An answer counts as begun with its first piece of content. Until then nothing has gone to the client, so a
 * stream that fails before is a fault like any other, which another account may cure.
 */
export class StreamRelay {
  /** The client's side. */
  readonly body: ReadableStream<Uint8Array>;
  /**
   * Settles when it is certain how the answer ends, before its last bytes go to the client, so that what it used
   * is on record before anybody can have seen all of it; once the upstream has ended when the client has left.
   * Never rejects.
   */
  readonly ended: Promise<StreamEnding>;
  /**
   * Settles when the first piece of content is there, or the client has left.
   *
   * @throws Fault `upstream.*` when the stream fails before; everything is given up then but the request itself.
   */
  readonly begun: Promise<void>;
  readonly #parts: RelayParts;
  readonly #client: ChunkReader;
  readonly #clientWatch: Watch;
  readonly #events: ClientEvents;
  readonly #onAbort = (): void => this.clientLeft();
  readonly #ending = Promise.withResolvers<StreamEnding>();
  readonly #begin = Promise.withResolvers<void>();
  readonly #metering: Promise<void>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #meteredBytes = 0;
  #deliveredBytes = 0;
  #firstTokenAt: number | undefined;
  #fault: Fault | undefined;
  #takenBytes = 0;
  readonly #meterWakeup = new Wakeup();
  readonly #clientWakeup = new Wakeup();
  #toldBytes = 0;
  #drainTimer: ReturnType<typeof setTimeout> | undefined;
  #hasBegun = false;
  #hasMeterEnded = false;
  #hasClientEnded = false;
  #hasClientLeft = false;

  constructor(parts: RelayParts) {
    this.#parts = parts;
    this.#events = new ClientEvents(parts);
    this.begun = this.#begin.promise;
    const [clientBranch, meterBranch] = parts.upstream.tee();
    this.#client = clientBranch.getReader();
    this.#clientWatch = parts.stallWatch.open(() => this.#clientStalled());
    parts.call.detachFromClient();
    parts.clientSignal.addEventListener("abort", this.#onAbort);
    this.#metering = this.#runMeter(meterBranch.getReader());
    this.body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#pull(controller),
        cancel: () => this.clientLeft(),
      },
      { highWaterMark: 0 },
    );
    this.ended = this.#ending.promise;
  }

  /** When the first piece of content came, in monotonic milliseconds. */
  get firstTokenAt(): number | undefined {
    return this.#firstTokenAt;
  }

  /** Ends an answer that must not go on: the client is told why, in an event. */
  breakOff(code: FaultCode): void {
    this.#parts.call.cancel(code);
  }

  /** The client has not read for too long. Should it read on after all, it must not wait for the rest in vain. */
  #clientStalled(): void {
    if (this.#hasClientEnded) return;
    this.clientLeft();
    const rest = this.#events.fail(new Fault("admit.client_stalled"));
    for (const piece of rest) this.#controller?.enqueue(piece);
    this.#controller?.close();
  }

  /** The client has gone, or has not read for too long. */
  clientLeft(): void {
    if (this.#hasClientEnded) return;
    this.#hasClientLeft = true;
    this.#letBegin();
    this.#finishMetering();
    // A branch that is cancelled while its source fails reports that again; the meter has kept it.
    this.#client.cancel().catch(() => undefined);
    this.#endClient();
  }

  /** Lets the meter come to the answer's end without the client: it may be there already. */
  #finishMetering(): void {
    const { call, limits } = this.#parts;
    if (this.#hasMeterEnded) void this.#report();
    else if (this.#meteredBytes === 0 || limits.drainMs === 0) call.cancel("admit.client_gone");
    else this.#drainTimer = setTimeout(() => call.cancel("admit.client_gone"), limits.drainMs);
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#controller = controller;
    this.#clientWatch.disarm();
    for (;;) {
      const chunk = await this.#readForClient();
      if (this.#hasClientEnded) return;
      if (chunk === undefined) return await this.#completeClient(controller);
      this.#takenBytes += chunk.length;
      this.#letMeterRun(chunk.length);
      await this.#meterCatchesUp();
      if (this.#parts.meter.isWhole) await this.#report();
      const passed = this.#events.take(chunk);
      for (const piece of passed) controller.enqueue(piece);
      if (passed.length === 0) continue;
      this.#clientWatch.arm(this.#parts.limits.clientStallMs);
      return;
    }
  }

  /** The next chunk; undefined when the upstream has ended, in order or not. */
  async #readForClient(): Promise<Uint8Array | undefined> {
    try {
      return (await this.#client.read()).value;
    } catch {
      // The meter's branch sees the same error and keeps it.
      return undefined;
    }
  }

  /** Ends the client's side once the meter knows whether the answer is whole. */
  async #completeClient(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#letMeterRun(Number.POSITIVE_INFINITY);
    await this.#metering;
    if (this.#hasClientEnded) return;
    await this.#report();
    const { meter } = this.#parts;
    const isExplicit = meter.isWhole || meter.error !== undefined;
    const rest = isExplicit ? this.#events.finish() : this.#events.fail(this.#fault);
    for (const piece of rest) controller.enqueue(piece);
    this.#endClient();
    controller.close();
  }

  #endClient(): void {
    this.#hasClientEnded = true;
    this.#clientWatch.close();
    this.#letMeterRun(Number.POSITIVE_INFINITY);
    this.#parts.clientSignal.removeEventListener("abort", this.#onAbort);
    this.#parts.onClientEnd();
  }

  async #runMeter(reader: ChunkReader): Promise<void> {
    const { call, limits, meter } = this.#parts;
    try {
      for (let { value } = await reader.read(); value !== undefined; { value } = await reader.read()) {
        this.#measure(value);
        if (this.#meteredBytes - this.#deliveredBytes > METER_LEAD_BYTES_MAX) await this.#clientCatchesUp();
        if (this.#hasBegun) call.expectWithin(limits.idleMs, "upstream.stalled");
      }
      meter.end();
      this.#checkBegun();
    } catch (thrown) {
      this.#fault = call.faultOf(thrown);
      if (!this.#hasBegun) this.#abandon(this.#fault);
    } finally {
      clearTimeout(this.#drainTimer);
      call.finish();
      this.#hasMeterEnded = true;
      this.#clientWakeup.wake();
      if (this.#hasClientLeft) void this.#report();
    }
  }

  /** A stream that ends before its first content has failed, unless it is whole without any. */
  #checkBegun(): void {
    const { meter, readError } = this.#parts;
    if (this.#hasBegun) return;
    if (meter.isWhole) this.#letBegin();
    else if (meter.error !== undefined) throw readError(meter.error);
    else throw new Fault("upstream.broken", { internal: "the stream ended before its first content" });
  }

  #letBegin(): void {
    this.#hasBegun = true;
    this.#begin.resolve();
  }

  /** The answer is another attempt's to give: lets go of the client's branch, and of nothing that is the request's. */
  #abandon(fault: Fault): void {
    this.#hasClientEnded = true;
    this.#clientWatch.close();
    this.#parts.clientSignal.removeEventListener("abort", this.#onAbort);
    this.#parts.call.fail(fault);
    this.#parts.call.cancel(fault.code);
    this.#client.cancel().catch(() => undefined);
    this.#begin.reject(fault);
  }

  #measure(chunk: Uint8Array): void {
    const { meter, clock, readError } = this.#parts;
    this.#meteredBytes += chunk.length;
    meter.push(chunk);
    this.#clientWakeup.wake();
    if (this.#firstTokenAt === undefined && meter.hasContent) this.#firstTokenAt = clock.monotonic();
    if (this.#meteredBytes - this.#toldBytes >= USED_STEP_BYTES) this.#tellUsed();
    if (this.#hasBegun) return;
    if (meter.hasContent || meter.isWhole || this.#meteredBytes > METER_LEAD_BYTES_MAX) this.#letBegin();
    else if (meter.error !== undefined) throw readError(meter.error);
  }

  #tellUsed(): void {
    this.#toldBytes = this.#meteredBytes;
    this.#parts.onUsed?.(this.#parts.meter.usageSoFar);
  }

  async #clientCatchesUp(): Promise<void> {
    this.#parts.call.expectNothing();
    while (this.#meteredBytes - this.#deliveredBytes > METER_LEAD_BYTES_MAX) await this.#meterWakeup.wait();
  }

  #letMeterRun(bytes: number): void {
    this.#deliveredBytes += bytes;
    this.#meterWakeup.wake();
  }

  /** Both branches get the same chunks; the meter's turn may come a moment later. */
  async #meterCatchesUp(): Promise<void> {
    while (this.#meteredBytes < this.#takenBytes && !this.#hasMeterEnded) await this.#clientWakeup.wait();
  }

  /** Says how the answer ends, and returns when those who asked have heard it. */
  async #report(): Promise<void> {
    const { meter } = this.#parts;
    this.#ending.resolve({
      status: this.#status(),
      usage: meter.isWhole ? meter.usage : meter.usageSoFar,
      usageComplete: meter.isWhole,
      bytes: this.#meteredBytes,
      firstTokenAt: this.#firstTokenAt,
    });
    await this.#ending.promise;
  }

  #status(): UsageStatus {
    if (this.#hasClientLeft) return "client_gone";
    if (this.#parts.meter.isWhole) return "completed";
    const code = this.#fault?.code;
    if (code === "billing.exhausted") return "exhausted";
    return code === "upstream.stalled" || code === "upstream.timeout" ? "upstream_stalled" : "upstream_broke";
  }
}
