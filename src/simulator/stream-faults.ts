import { assertNever } from "#kernel/assert.ts";
import { eventFrame, frameOf, frameOfBytes } from "./frame.ts";
import { PING_INTERVAL_MS_MIN, type Plan, type PlanFault } from "./plan.ts";
import { type BodyStep, type Mark, type SendStep, STALL } from "./steps.ts";

/** A chunk size that is no hexadecimal number (RFC 9112, section 7.1). */
const BROKEN_CHUNK = Buffer.from("xyz\r\nthis is no chunk\r\n");

/** Where `after_event` can fall: after a delta, or after the start of the block of the first one. */
const MOMENTS: ReadonlySet<Mark | undefined> = new Set(["block_start", "delta"]);

/** Lets a stream go wrong as its plan says. */
export function withFault(
  course: Iterable<BodyStep>,
  fault: PlanFault,
  plan: Plan,
  lineEnd: string,
): Iterable<BodyStep> {
  switch (fault.kind) {
    case "reset_before_headers":
    case "close_before_headers":
    case "silence_before_headers":
      return [];
    case "headers_then_silence":
      return [STALL];
    case "message_start_then_silence":
      return afterMark(course, "message_start", [STALL]);
    case "ping_only":
      return pingsOnly(plan, lineEnd);
    case "stall":
      return atMoment(course, fault, [STALL]);
    case "cut":
      return atMoment(course, fault, [{ do: "close", by: fault.by ?? "fin" }]);
    case "malformed_chunk":
      return atMoment(course, fault, [
        { do: "raw", bytes: BROKEN_CHUNK },
        { do: "close", by: "fin" },
      ]);
    case "malformed_event":
      return afterDelta(course, fault.after_event, { insert: [malformedEvent(lineEnd)], goesOn: true });
    case "error_event":
      return atMoment(course, fault, [errorEvent(fault, lineEnd)]);
    case "missing_message_stop":
      return afterMark(course, "message_delta", []);
    case "missing_terminator":
      return afterMark(course, "message_stop", [
        fault.socket === "open" ? STALL : { do: "close", by: "fin" },
      ]);
    default:
      return assertNever(fault);
  }
}

/** Lets a body run for so many bytes and then does something else. */
export function* afterBytes(
  body: Iterable<BodyStep>,
  bytes: number,
  then: readonly BodyStep[],
): Generator<BodyStep> {
  let left = bytes;
  for (const step of body) {
    if (step.do === "send" && step.frame.bytes.length > left) {
      if (left > 0) yield { do: "send", frame: frameOfBytes(step.frame.bytes.subarray(0, left)) };
      break;
    }
    if (step.do === "send") left -= step.frame.bytes.length;
    yield step;
  }
  yield* then;
}

/** A ping, with the space in its data that Anthropic's has. */
export function pingStep(lineEnd: string): SendStep {
  return { do: "send", frame: eventFrame("ping", '{"type": "ping"}', lineEnd), mark: "ping" };
}

type Moment = { readonly after_event: number } | { readonly after_bytes: number };

function atMoment(
  course: Iterable<BodyStep>,
  moment: Moment,
  insert: readonly BodyStep[],
): Iterable<BodyStep> {
  return "after_bytes" in moment
    ? afterBytes(course, moment.after_bytes, insert)
    : afterDelta(course, moment.after_event, { insert, goesOn: false });
}

interface Interruption {
  readonly insert: readonly BodyStep[];
  /** Whether the stream goes on afterwards. */
  readonly goesOn: boolean;
}

function* afterDelta(
  course: Iterable<BodyStep>,
  count: number,
  { insert, goesOn }: Interruption,
): Generator<BodyStep> {
  let deltas = 0;
  let isDue = true;
  for (const step of course) {
    yield step;
    const mark = markOf(step);
    if (mark === "delta") deltas += 1;
    if (!isDue || deltas !== count || !MOMENTS.has(mark)) continue;
    isDue = false;
    yield* insert;
    if (!goesOn) return;
  }
}

function* afterMark(course: Iterable<BodyStep>, mark: Mark, then: readonly BodyStep[]): Generator<BodyStep> {
  for (const step of course) {
    yield step;
    if (markOf(step) === mark) break;
  }
  yield* then;
}

function* pingsOnly({ pings, event_interval_ms: interval = 0 }: Plan, lineEnd: string): Generator<BodyStep> {
  const ping = pingStep(lineEnd);
  const pause: BodyStep = { do: "wait", ms: Math.max(PING_INTERVAL_MS_MIN, interval) };
  for (let sent = 0; sent < (pings ?? Number.POSITIVE_INFINITY); sent += 1) {
    yield pause;
    yield ping;
  }
  yield STALL;
}

function markOf(step: BodyStep): Mark | undefined {
  return step.do === "send" ? step.mark : undefined;
}

function malformedEvent(lineEnd: string): BodyStep {
  const line = `event: content_block_delta${lineEnd}data: {"type":"content_block_delta","index":0,"del`;
  return { do: "send", frame: frameOf(line + lineEnd + lineEnd) };
}

function errorEvent(fault: PlanFault & { readonly kind: "error_event" }, lineEnd: string): BodyStep {
  const { error_type: type = "overloaded_error", error_message: message = "Overloaded" } = fault;
  const data = JSON.stringify({ type: "error", error: { type, message } });
  return { do: "send", frame: eventFrame("error", data, lineEnd) };
}
