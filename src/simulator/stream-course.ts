import { frameOfBytes } from "./frame.ts";
import type { Plan } from "./plan.ts";
import { type BodyStep, type SendStep, TURN } from "./steps.ts";
import { pingStep, withFault } from "./stream-faults.ts";
import type { Usage } from "./usage.ts";

/** Turns the events of a flawless message into what the plan makes of them. */
export function streamCourse(events: Iterable<SendStep>, plan: Plan, lineEnd: string): Iterable<BodyStep> {
  const { pings = 1, event_interval_ms: interval = 0, fault, chunk_bytes: pieceBytes } = plan;
  let course: Iterable<BodyStep> = withPings(events, pings, lineEnd);
  if (interval > 0) course = withPauses(course, interval);
  if (fault !== undefined) course = withFault(course, fault, plan, lineEnd);
  return pieceBytes === undefined ? course : inPieces(course, pieceBytes);
}

function* withPings(events: Iterable<SendStep>, count: number, lineEnd: string): Generator<SendStep> {
  const ping = pingStep(lineEnd);
  let left = count;
  for (const step of events) {
    if (step.mark === "delta" && left > 0) {
      left -= 1;
      yield ping;
    }
    for (; step.mark === "message_delta" && left > 0; left -= 1) yield ping;
    yield step;
  }
}

function* withPauses(steps: Iterable<BodyStep>, ms: number): Generator<BodyStep> {
  for (const step of steps) {
    if (step.do === "send" && (step.mark === "delta" || step.mark === "ping")) yield { do: "wait", ms };
    yield step;
  }
}

/** Cuts the body at every n-th byte. What is left before a pause or a fault leaves with it. */
function* inPieces(course: Iterable<BodyStep>, pieceBytes: number): Generator<BodyStep> {
  const nothing = new Uint8Array();
  let held: Uint8Array = nothing;
  /** Due once what is held is out. */
  let bills: Usage | undefined;
  for (const step of course) {
    if (step.do !== "send") {
      if (held.length > 0) yield { do: "send", frame: frameOfBytes(held), bills };
      held = nothing;
      yield step;
      continue;
    }
    held = Buffer.concat([held, step.frame.bytes]);
    for (; held.length > pieceBytes; held = held.subarray(pieceBytes)) {
      yield { do: "send", frame: frameOfBytes(held.subarray(0, pieceBytes)), bills };
      yield TURN;
    }
    bills = step.bills ?? bills;
  }
  if (held.length > 0) yield { do: "send", frame: frameOfBytes(held), bills };
}
