import { type MessageIdentity, messageEvents, wholeMessage } from "./message.ts";
import type { Plan, PlanFault } from "./plan.ts";
import type { PreparedAnswer } from "./prepared-answer.ts";
import { Refusal } from "./refusal.ts";
import { type BodyStep, STALL } from "./steps.ts";
import { streamCourse } from "./stream-course.ts";
import { afterBytes } from "./stream-faults.ts";

/** A successful body that is played step by step, with the length to announce. */
export interface PlayedBody {
  readonly contentType: string;
  readonly length: number | "chunked";
  readonly body: Iterable<BodyStep>;
}

/** The faults that an answer without a stream can have. */
const WHOLE_FAULTS: ReadonlySet<PlanFault["kind"]> = new Set([
  "reset_before_headers",
  "close_before_headers",
  "silence_before_headers",
  "headers_then_silence",
]);

/**
 * The message a plan makes, as an event stream or as JSON.
 *
 * @throws Refusal 400 when the plan's fault can never happen in this answer, because a test that waits
 * for it would pass for the wrong reason.
 */
export function plannedMessage(
  answer: PreparedAnswer,
  identity: MessageIdentity,
  plan: Plan,
  isStream: boolean,
): PlayedBody {
  const { fault } = plan;
  if (isStream) {
    checkMoment(fault, answer.deltaCount);
    const events = messageEvents(answer, identity, plan.delta_usage ?? "output_only");
    const body = streamCourse(events, plan, answer.lineEnd);
    return { contentType: "text/event-stream; charset=utf-8", length: "chunked", body };
  }
  const { length, parts } = wholeMessage(answer, identity);
  return { contentType: "application/json", length, body: wholeCourse(parts, fault) };
}

function checkMoment(fault: PlanFault | undefined, deltaCount: number): void {
  if (fault !== undefined && "after_event" in fault && fault.after_event > deltaCount) {
    throw new Refusal(
      400,
      `simulator: fault after_event is ${fault.after_event}, there are ${deltaCount} deltas`,
    );
  }
}

/**
 * What a plan's fault makes of a body whose length has been announced.
 *
 * @throws Refusal 400 when the fault needs a stream.
 */
export function wholeCourse(parts: Iterable<BodyStep>, fault: PlanFault | undefined): Iterable<BodyStep> {
  if (fault === undefined) return parts;
  if ("after_bytes" in fault) {
    const then: BodyStep = fault.kind === "stall" ? STALL : { do: "close", by: fault.by ?? "fin" };
    return afterBytes(parts, fault.after_bytes, [then]);
  }
  if (!WHOLE_FAULTS.has(fault.kind)) {
    throw new Refusal(400, `simulator: fault ${fault.kind} needs a stream`);
  }
  return fault.kind === "headers_then_silence" ? [STALL] : [];
}
