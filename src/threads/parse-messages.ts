import type { FaultCode } from "#kernel/fault-codes.ts";
import type { CallFacts, SessionSeed } from "#protocols/call-facts.ts";

/** A body on its way to a parse thread. Its buffer is transferred, not copied. */
export interface ParseJob {
  readonly id: number;
  readonly body: Uint8Array;
  readonly seed: SessionSeed;
}

/** What a parse thread found. The buffer comes back with it. */
export type ParseResult =
  | { readonly id: number; readonly ok: true; readonly body: Uint8Array; readonly facts: CallFacts }
  | { readonly id: number; readonly ok: false; readonly code: FaultCode; readonly publicMessage: string };
