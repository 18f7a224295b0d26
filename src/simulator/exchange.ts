import type { AttemptRecord } from "./attempt.ts";
import { frameOf, LAST_CHUNK } from "./frame.ts";
import type { Plan } from "./plan.ts";
import type { HeadWriter } from "./response-head.ts";
import { type BodyStep, framed, STALL, type WireStep } from "./steps.ts";

/** The answer to one request, ready to be played. */
export interface Exchange {
  readonly steps: Iterable<WireStep>;
  readonly status: number;
  /** Closes the connection after the answer. */
  readonly isLast: boolean;
  /** The record to keep up to date; absent for the control API, which is no part of the upstream. */
  readonly attempt: AttemptRecord | undefined;
}

/** What is answered, before it has a head and framing. */
export interface Reply {
  readonly status: number;
  readonly contentType: string;
  /** Length of the body in bytes, or chunked when it is not announced. */
  readonly length: number | "chunked";
  readonly body: Iterable<BodyStep>;
  /** Where delay, extra headers and faults before the head come from. */
  readonly plan: Plan;
}

/** A reply whose body is one text, JSON unless told otherwise. */
export function textReply(status: number, text: string, plan: Plan = {}): Reply {
  const frame = frameOf(text);
  return {
    status,
    contentType: "application/json",
    length: frame.bytes.length,
    body: [{ do: "send", frame }],
    plan,
  };
}

interface ExchangeContext {
  readonly heads: HeadWriter;
  readonly requestId: string;
  /** Whether the client lets the connection live on. */
  readonly keepAlive: boolean;
  readonly attempt?: AttemptRecord;
}

/** Makes a reply ready to be played. */
export function exchangeOf(reply: Reply, context: ExchangeContext): Exchange {
  const closes = Object.entries(reply.plan.headers ?? {}).some(
    ([name, value]) => name.toLowerCase() === "connection" && value.toLowerCase() === "close",
  );
  const isLast = closes || !context.keepAlive;
  return {
    steps: stepsOf(reply, context, isLast),
    status: reply.status,
    isLast,
    attempt: context.attempt,
  };
}

/** How long a client that is still sending gets to read its refusal before the socket closes, in ms. */
const LINGER_MS = 500;

/** Keeps the socket open for a while: closing it on unread bytes would reset it and lose the answer. */
export function lingering(exchange: Exchange): Exchange {
  return { ...exchange, steps: thenLinger(exchange.steps) };
}

function* thenLinger(steps: Iterable<WireStep>): Generator<WireStep> {
  yield* steps;
  yield { do: "wait", ms: LINGER_MS };
}

function* stepsOf(reply: Reply, { heads, requestId }: ExchangeContext, isLast: boolean): Generator<WireStep> {
  const { status, contentType, length, body, plan } = reply;
  if (plan.delay_ms !== undefined && plan.delay_ms > 0) yield { do: "wait", ms: plan.delay_ms };
  const ending = endingBeforeHead(plan);
  if (ending !== undefined) {
    yield ending;
    return;
  }
  const head = { status, requestId, contentType, length, isLast, extra: plan.headers };
  yield { do: "raw", bytes: heads.write(head) };
  yield* framed(body, length === "chunked" ? "chunked" : "length");
  if (length === "chunked") yield { do: "raw", bytes: LAST_CHUNK };
}

function endingBeforeHead({ fault }: Plan): WireStep | undefined {
  switch (fault?.kind) {
    case "reset_before_headers":
      return { do: "close", by: "rst" };
    case "close_before_headers":
      return { do: "close", by: "fin" };
    case "silence_before_headers":
      return STALL;
    default:
      return undefined;
  }
}
