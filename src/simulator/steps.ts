import type { Frame } from "./frame.ts";
import type { Usage } from "./usage.ts";

/** Parts of a message stream that pacing, pings and faults have to recognise. */
export type Mark = "message_start" | "block_start" | "ping" | "delta" | "message_delta" | "message_stop";

/** Sends bytes of the body. */
export interface SendStep {
  readonly do: "send";
  readonly frame: Frame;
  readonly mark?: Mark;
  /** The tokens billed so far once these bytes are out. */
  readonly bills?: Usage | undefined;
}

/** Sends bytes that are no part of the body: the response head, or broken framing. */
interface RawStep {
  readonly do: "raw";
  readonly bytes: Uint8Array;
  readonly bills?: Usage | undefined;
}

/** Everything but sending that can happen in an answer. Nothing follows a stall or a close. */
export type ControlStep =
  /** A pause in milliseconds; 0 lets the event loop turn once, so that what was sent leaves alone. */
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "stall" }
  | { readonly do: "close"; readonly by: "fin" | "rst" };

/** A step of a body that has not been framed for HTTP yet. */
export type BodyStep = SendStep | RawStep | ControlStep;
/** A step as the socket sees it. */
export type WireStep = RawStep | ControlStep;

/** Lets the event loop turn. */
export const TURN: ControlStep = { do: "wait", ms: 0 };
/** Goes silent with the socket open. */
export const STALL: ControlStep = { do: "stall" };

/** Frames a body step by step; an unframed body relies on a content-length announced in the head. */
export function* framed(body: Iterable<BodyStep>, framing: "chunked" | "length"): Generator<WireStep> {
  for (const step of body) {
    if (step.do !== "send") {
      yield step;
      continue;
    }
    const { frame, bills } = step;
    yield { do: "raw", bytes: framing === "chunked" ? frame.chunk : frame.bytes, bills };
  }
}
