import type { Awaitable } from "#kernel/awaitable.ts";
import type { Cancellation } from "#kernel/cancellation.ts";
import type { HeaderRecord } from "#kernel/headers.ts";

/** A request ready to leave the house. */
export interface UpstreamRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** An upstream's answer, from its head on. Its body is read once, in one of two ways, unless it is cancelled. */
export interface OpenAnswer {
  readonly status: number;
  /** They describe the body as it is read: a content coding that is undone is not among them, nor its length. */
  readonly headers: HeaderRecord;
  /**
   * The whole body.
   *
   * @param bytesMax a larger body is broken off.
   * @throws Fault `upstream.invalid_answer` when it is larger; or whatever ended it.
   */
  bytes(bytesMax: number): Awaitable<Uint8Array>;
  /** The body as it comes. The upstream waits for whoever reads it; cancelling closes the connection. */
  stream(): ReadableStream<Uint8Array>;
}

/**
 * Sends one request and returns when the upstream's headers are there. The only way out of the house;
 * `upstream/` fulfils it. Redirects are not followed.
 *
 * @throws Fault `upstream.forbidden_address`, `upstream.connect_failed`, `upstream.reset`; or the reason
 * when it is cancelled, before or while the answer is read.
 */
export type Send = (request: UpstreamRequest, cancellation: Cancellation) => Promise<OpenAnswer>;
