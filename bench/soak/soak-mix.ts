/** What a client does about its own request. */
export type Leaving = "before the head" | "amid the stream";

/** One kind of request of the soak. */
export interface SoakScenario {
  readonly name: string;
  /** Of a hundred requests, so many. */
  readonly share: number;
  readonly stream?: boolean;
  /** What the simulator does. */
  readonly plan?: object;
  readonly leaves?: Leaving;
  /** Instead of a proper request. */
  readonly spoilt?: "body" | "key" | "large";
}

const EVENTS = { events: 10, text_bytes: 20 };
/** With pauses, so that the first content is there before the break. */
const SLOW = { ...EVENTS, event_interval_ms: 2 };

/** Everything an upstream and a client do, as often as makes a leak of any of it show. */
export const SOAK_MIX: readonly SoakScenario[] = [
  { name: "whole answer", share: 20 },
  { name: "stream", share: 20, stream: true, plan: EVENTS },
  { name: "stream of a tool's input", share: 5, stream: true, plan: { ...EVENTS, content: "tool_use" } },
  { name: "stream with CRLF", share: 5, stream: true, plan: { ...EVENTS, content: "mixed", crlf: true } },
  { name: "client leaves the stream", share: 10, stream: true, plan: SLOW, leaves: "amid the stream" },
  { name: "client leaves before the head", share: 5, plan: { delay_ms: 40 }, leaves: "before the head" },
  faulty("cut", { kind: "cut", after_event: 4 }, 3),
  faulty("reset", { kind: "cut", after_event: 4, by: "rst" }, 3),
  faulty("cut within an event", { kind: "cut", after_bytes: 900 }, 2),
  faulty("no last event", { kind: "missing_message_stop" }, 2),
  faulty("no last chunk", { kind: "missing_terminator", socket: "closed" }, 2),
  faulty("broken framing", { kind: "malformed_chunk", after_event: 3 }, 2),
  faulty("broken event", { kind: "malformed_event", after_event: 3 }, 2),
  faulty("error event before content", { kind: "error_event", after_event: 0 }, 2),
  faulty("error event after content", { kind: "error_event", after_event: 3 }, 2),
  faulty("reset before the head", { kind: "reset_before_headers" }, 2),
  faulty("closed before the head", { kind: "close_before_headers" }, 2),
  { name: "500", share: 2, plan: { status: 500 } },
  { name: "529", share: 2, plan: { status: 529 } },
  { name: "400", share: 2, plan: { status: 400 } },
  { name: "large body", share: 1, spoilt: "large" },
  { name: "no JSON", share: 2, spoilt: "body" },
  { name: "unknown key", share: 2, spoilt: "key" },
];

function faulty(name: string, fault: object, share: number): SoakScenario {
  return { name, share, stream: true, plan: { ...SLOW, chunk_bytes: 64, fault } };
}
