import type { TokenUsage } from "#domain/usage-record.ts";

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
  /** The first piece of content has passed. */
  readonly hasContent: boolean;
  /** The answer has come to its proper end. */
  readonly isWhole: boolean;
  /** The upstream has itself said, within the stream, that it failed. */
  readonly hasError: boolean;
}
