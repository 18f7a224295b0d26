import type { Account } from "#domain/account.ts";
import type { Dialect, Platform } from "#domain/platform.ts";
import type { UpstreamRequest } from "#domain/upstream-request.ts";
import type { TokenUsage } from "#domain/usage-record.ts";
import type { Fault, UpstreamAnswer } from "#kernel/fault.ts";
import type { HeaderRecord } from "#kernel/headers.ts";
import type { ByteRange } from "#kernel/json-scan.ts";
import type { StreamError, StreamMeter } from "#protocols/stream-meter.ts";

/** What a client may ask of a provider. */
export type Operation = "messages" | "count-tokens";

/** What a client asked for, in the words the pipeline uses. Attempts read it and never change it. */
export interface Call {
  readonly operation: Operation;
  readonly dialect: Dialect;
  readonly model: string;
  /** Where the value of the top-level `model` stands in the body; undefined: it has to be looked for. */
  readonly modelRange: ByteRange | undefined;
  readonly stream: boolean;
  readonly body: Uint8Array;
  readonly headers: HeaderRecord;
  /** The query string as the client sent it, with its question mark; empty when there was none. */
  readonly query: string;
}

/** A model as it is listed to clients. */
export interface ModelCard {
  readonly id: string;
  readonly displayName: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** What an answer tells about the account's rate limits. Times are milliseconds since the Unix epoch. */
export interface RateLimits {
  /** The smallest share that is left of any of them, 0 to 1. */
  readonly headroom: number;
  /** When that one is full again; 0: it was not said. */
  readonly headroomResetMs: number;
  /** If the answer is a refusal for rate limits: when it will be over. Undefined: it was not said. */
  readonly refusedUntilMs: number | undefined;
}

/** The answer tells nothing about rate limits. Always this very object, so that it can be told by identity. */
export const NO_LIMITS: RateLimits = Object.freeze({
  headroom: 1,
  headroomResetMs: 0,
  refusedUntilMs: undefined,
});

/**
 * Everything the gateway needs to know about one platform.
 *
 * The functions are pure over bytes, so a provider is tested from recorded answers alone. Adding a platform
 * means adding one folder and one line in `registry.ts`.
 */
export interface Provider {
  readonly platform: Platform;
  /** Client dialects it can answer. */
  readonly dialects: readonly Dialect[];
  /** Where requests go when an account names no address of its own. */
  readonly defaultBaseUrl: string;
  /** Listed when an account names no models of its own. */
  readonly models: readonly ModelCard[];
  /** The request that carries a call to one account. Fresh headers every time; the body is the call's own. */
  buildRequest(call: Call, account: Account): UpstreamRequest;
  /** Headers of an upstream's answer that the client gets to see, as a record of the caller's own. */
  relayHeaders(headers: HeaderRecord): Record<string, string>;
  /** The answer with another name in its `model`; undefined when it names none. */
  renameModel(body: Uint8Array, model: string): Uint8Array | undefined;
  /** Whole events of a stream with another name for the model; undefined when none of them names it. */
  renameModelInEvents(events: Uint8Array, model: string): Uint8Array | undefined;
  /** What an error answer means, with its retry verdict. */
  readFault(answer: UpstreamAnswer): Fault;
  /** What an error that a stream tells of before its first content means, with its retry verdict. */
  readStreamError(error: StreamError): Fault;
  /** What an answer's headers tell about the account's rate limits. Called for every answer, so it is cheap. */
  readLimits(headers: HeaderRecord, nowMs: number): RateLimits;
  /** Reads the usage of a whole answer; undefined when it reports none. */
  readUsage(body: Uint8Array): TokenUsage | undefined;
  /** A meter for one streamed answer. */
  openMeter(): StreamMeter;
}
