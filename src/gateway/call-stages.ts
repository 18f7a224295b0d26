import type { Funding } from "#billing/eligibility.ts";
import type { RequestHold } from "#billing/hold-request.ts";
import type { ModelPrice } from "#billing/prices.ts";
import type { HoldsAnswer } from "#coordination/holds.ts";
import type { Account } from "#domain/account.ts";
import type { AttemptRecord } from "#domain/attempt-record.ts";
import type { Dialect } from "#domain/platform.ts";
import type { Principal } from "#domain/principal.ts";
import type { TokenUsage, UsageStatus } from "#domain/usage-record.ts";
import type { HeaderRecord } from "#kernel/headers.ts";
import type { Lease } from "#kernel/lease.ts";
import type { CallFacts } from "#protocols/call-facts.ts";
import type { Call, Operation, Provider } from "#providers/provider.ts";
import type { PendingAnswer } from "./pending-answer.ts";
import type { RequestTrace } from "./request-trace.ts";

/**
 * What arrives from HTTP, with nothing checked. Each stage adds its fields to this one object and hands it on
 * under the wider type, because copying it at every stage costs more than all the stages together.
 */
export interface InboundCall extends Lease {
  readonly requestId: string;
  readonly dialect: Dialect;
  readonly operation: Operation;
  readonly headers: HeaderRecord;
  /** With its question mark; empty when there is none. */
  readonly query: string;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  /** The peer's address, or the one a trusted proxy vouches for; undefined when the socket is gone. */
  readonly clientAddress: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly arrivedAtMs: number;
  /** Monotonic milliseconds, for durations. */
  readonly startedAt: number;
  /** Reads the whole body, within the limits of size and time. */
  readBody(): Promise<Uint8Array>;
  /** Called just before the last byte of the answer, or when the client has left. */
  release(): void;
}

/** What goes along with a request from its first stage to its last. */
export interface Watched {
  /** What the client gets; one that waits for a stream is sent pings. */
  readonly answer: PendingAnswer;
  /** Notes how the request comes by its answer. */
  readonly trace: RequestTrace;
}

/** We know who is calling. */
export interface AuthenticatedCall extends InboundCall, Watched {
  readonly principal: Principal;
}

/** We know what is asked for, and who could answer. */
export interface ParsedCall extends AuthenticatedCall, Call, CallFacts {
  readonly provider: Provider;
}

/** Stamp of the admit stage. A stage that must run after it asks for `ParsedCall & Admitted`. */
export interface Admitted {
  /** How long the request stood in line, in milliseconds. */
  readonly slotWaitMs: number;
  /** The money that came with the slot; the billing stage's to use or to give back. */
  readonly advance: HoldsAnswer | undefined;
}

/** Stamp of the billing stage. */
export interface Funded extends Funding {
  /** What the request is billed by, whatever changes while it runs; undefined: nothing has a price for the model. */
  readonly price: ModelPrice | undefined;
  /** The money set aside for it; undefined where nothing is billed. Whoever ends the request settles it. */
  readonly hold: RequestHold | undefined;
}

/** Where the attempts have got to. Written by the attempt loop only. */
export interface AttemptLog {
  count: number;
  lastAccount: Account | undefined;
  /** When the last one began, in milliseconds since the Unix epoch. */
  lastStartedAtMs: number;
  /** Those that failed, in order. */
  readonly failed: AttemptRecord[];
}

/** An answer that came whole. */
interface WholeReply {
  readonly kind: "whole";
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  /** Undefined: the answer reports none. */
  readonly usage: TokenUsage | undefined;
}

/** How a streamed answer ended, once both its sides have. */
export interface StreamEnding {
  readonly status: UsageStatus;
  readonly usage: TokenUsage;
  readonly usageComplete: boolean;
  /** Of the answer's body, as far as the upstream has sent it. */
  readonly bytes: number;
  /** Monotonic milliseconds. */
  readonly firstTokenAt: number | undefined;
}

/** An answer that is under way. */
export interface StreamedReply {
  readonly kind: "stream";
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: ReadableStream<Uint8Array>;
  /**
   * Settles when it is certain how the answer ends, before its last bytes go to the client; never rejects.
   */
  readonly ended: Promise<StreamEnding>;
  /** When the first piece of content came, in monotonic milliseconds; undefined when there was none. */
  readonly firstTokenAt: number | undefined;
}

export type Reply = WholeReply | StreamedReply;

/** A call that has its answer. */
export interface Delivered {
  readonly reply: Reply;
  /** The answer was made here: no upstream was asked, and nothing is booked. */
  readonly isLocal: boolean;
}
