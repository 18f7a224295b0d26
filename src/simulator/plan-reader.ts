import type { Plan, PlanFault, PlanUsage } from "./plan.ts";
import { Refusal } from "./refusal.ts";

/** A plan that cannot be followed, refused with 400 over HTTP; the message names every problem. */
export class PlanError extends Refusal {
  constructor(problems: readonly string[]) {
    super(400, `simulator: ${problems.join("; ")}`);
    this.name = "PlanError";
  }
}

/** Longest pause a plan may ask for, in milliseconds. */
const PAUSE_MS_MAX = 600_000;
/** Most deltas in one answer. */
const EVENTS_MAX = 10_000_000;
/** Most bytes of text in one delta. */
const EVENT_BYTES_MAX = 1024 * 1024;
/** Most requests in flight that a plan may allow. */
const IN_FLIGHT_MAX = 1_000_000;
const TOKENS_MAX = 1_000_000_000;

/** Says what is wrong with a value, starting with a verb, or nothing when it is right. */
type Check = (value: unknown) => string | undefined;
type Fields = Readonly<Record<string, Check>>;

const STOP_REASONS = [
  "end_turn",
  "max_tokens",
  "stop_sequence",
  "tool_use",
  "pause_turn",
  "refusal",
  "model_context_window_exceeded",
];
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

const whole =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && Number(value) >= min && Number(value) <= max
      ? undefined
      : `must be a whole number from ${min} to ${max}`;
const oneOf =
  (...allowed: readonly string[]): Check =>
  (value) =>
    typeof value === "string" && allowed.includes(value) ? undefined : `must be one of ${allowed.join(", ")}`;
const text: Check = (value) => (typeof value === "string" ? undefined : "must be a string");
const flag: Check = (value) => (typeof value === "boolean" ? undefined : "must be true or false");
const status: Check = (value) =>
  value === 200 ? undefined : whole(400, 599)(value) && "must be 200 or 400 to 599";
const tokens = whole(0, TOKENS_MAX);
const event = whole(0, EVENTS_MAX);
const bytes = whole(0, Number.MAX_SAFE_INTEGER);

const headers: Check = (value) => {
  if (!isRecord(value)) return "must be an object";
  const wrong = Object.entries(value).find(
    ([name, content]) =>
      !HEADER_NAME.test(name) || typeof content !== "string" || !HEADER_VALUE.test(content),
  );
  return wrong === undefined ? undefined : `has a header that cannot be sent: ${wrong[0]}`;
};

const object =
  (fields: Fields): Check =>
  (value) =>
    problemsOf(value, fields).join(", ") || undefined;

const USAGE = {
  input_tokens: tokens,
  output_tokens: tokens,
  cache_creation_input_tokens: tokens,
  cache_read_input_tokens: tokens,
  cache_creation: object({ ephemeral_5m_input_tokens: tokens, ephemeral_1h_input_tokens: tokens }),
} satisfies Record<keyof PlanUsage, Check>;

interface FaultShape {
  readonly required: Fields;
  readonly optional?: Fields;
}

const moment: FaultShape = { required: { after_event: event } };
const bare: FaultShape = { required: {} };

const FAULT_SHAPES: Readonly<Record<PlanFault["kind"], FaultShape>> = {
  reset_before_headers: bare,
  close_before_headers: bare,
  silence_before_headers: bare,
  headers_then_silence: bare,
  message_start_then_silence: bare,
  ping_only: bare,
  stall: moment,
  cut: { ...moment, optional: { by: oneOf("fin", "rst") } },
  malformed_chunk: moment,
  malformed_event: moment,
  error_event: { ...moment, optional: { error_type: text, error_message: text } },
  missing_message_stop: bare,
  missing_terminator: { required: { socket: oneOf("closed", "open") } },
};

const fault: Check = (value) => {
  if (!isRecord(value)) return "must be an object with a kind";
  const { kind, ...rest } = value;
  if (!isFaultKind(kind))
    return `has no kind ${JSON.stringify(kind)}; there are ${Object.keys(FAULT_SHAPES).join(", ")}`;
  const inBytes = (kind === "stall" || kind === "cut") && "after_bytes" in rest;
  const { required, optional = {} } = FAULT_SHAPES[kind];
  const needed = inBytes ? { after_bytes: bytes } : required;
  const missing = Object.keys(needed).filter((name) => !(name in rest));
  const problems = [
    ...missing.map((name) => `${name} is missing`),
    ...problemsOf(rest, { ...needed, ...optional }),
  ];
  return problems.join(", ") || undefined;
};

const PLAN = {
  name: text,
  delay_ms: whole(0, PAUSE_MS_MAX),
  in_flight_max: whole(1, IN_FLIGHT_MAX),
  status,
  error_message: text,
  error_body: text,
  headers,
  text,
  text_bytes: whole(1, EVENT_BYTES_MAX),
  events: whole(1, EVENTS_MAX),
  content: oneOf("text", "tool_use", "thinking", "mixed"),
  stop_reason: oneOf(...STOP_REASONS),
  usage: object(USAGE),
  delta_usage: oneOf("output_only", "cumulative"),
  event_interval_ms: whole(0, PAUSE_MS_MAX),
  pings: whole(0, EVENTS_MAX),
  chunk_bytes: whole(1, Number.MAX_SAFE_INTEGER),
  crlf: flag,
  fault,
} satisfies Record<keyof Plan, Check>;

/**
 * Reads a plan from parsed JSON. Unknown fields and combinations that would be ignored are refused, so
 * that a slip of the pen in a test cannot pass for a success.
 *
 * @throws PlanError that lists every problem.
 */
export function readPlan(value: unknown): Plan {
  const problems = [...problemsOf(value, PLAN), ...conflictsOf(value)];
  if (problems.length > 0) throw new PlanError(problems);
  return value as Plan;
}

function conflictsOf(value: unknown): string[] {
  if (!isRecord(value)) return [];
  const isError = value["status"] !== undefined && value["status"] !== 200;
  const given = (...names: readonly string[]): string[] => names.filter((name) => value[name] !== undefined);
  const idle = isError
    ? given("fault", "text", "text_bytes", "events", "content", "in_flight_max")
    : given("error_message", "error_body");
  return [
    ...idle.map((name) => `${name} means nothing ${isError ? "beside" : "without"} an error status`),
    ...(given("text", "text_bytes").length === 2 ? ["text and text_bytes exclude each other"] : []),
    ...(hasTooFewCharacters(value) ? ["events is more than text has characters"] : []),
  ];
}

function hasTooFewCharacters({ text: words, events }: Record<string, unknown>): boolean {
  return typeof words === "string" && typeof events === "number" && events > [...words].length;
}

function problemsOf(value: unknown, fields: Fields): string[] {
  if (!isRecord(value)) return ["must be an object"];
  return Object.entries(value).flatMap(([name, content]) => {
    const check = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (check === undefined) return [`${name} is not a known field`];
    const problem = check(content);
    return problem === undefined ? [] : [`${name} ${problem}`];
  });
}

function isFaultKind(value: unknown): value is PlanFault["kind"] {
  return typeof value === "string" && Object.hasOwn(FAULT_SHAPES, value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
