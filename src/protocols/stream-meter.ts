import type { TokenUsage } from "#domain/usage-record.ts";

/** An error as an upstream tells of it within a stream. */
export interface StreamError {
  /** The upstream's own word for it; empty when it gave none. */
  readonly type: string;
  readonly message: string;
}

/**
 * Reads along with a streamed answer without changing it: what it used, and whether it is whole.
 *
 * Chunks may be cut anywhere. `push` and `end` never throw: what cannot be understood is passed over, and
 * then the answer is not whole.
 */
export interface StreamMeter {
  push(chunk: Uint8Array): void;
  /** The upstream has closed its stream in order. */
  end(): void;
  /** What the upstream has reported so far. */
  readonly usage: TokenUsage;
  /** The same, with a guess at the output that has passed where the upstream has not reported it yet. */
  readonly usageSoFar: TokenUsage;
  /** The first piece of content has passed. */
  readonly hasContent: boolean;
  /** The answer has come to its proper end, and none of the events that make one up is missing. */
  readonly isWhole: boolean;
  /** What the upstream has said, within the stream, went wrong. */
  readonly error: StreamError | undefined;
}
