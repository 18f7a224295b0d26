import type { AttemptRecord } from "./attempt.ts";
import type { AttemptLog } from "./attempt-log.ts";
import { type Exchange, exchangeOf, type Reply, textReply } from "./exchange.ts";
import { frameOf } from "./frame.ts";
import { readMessageRequest } from "./message-request.ts";
import { modelOf, modelPage } from "./models.ts";
import type { Plan } from "./plan.ts";
import type { ChosenPlan, PlanBook } from "./plan-book.ts";
import { plannedMessage, wholeCourse } from "./planned-message.ts";
import { AnswerShelf } from "./prepared-answer.ts";
import { errorEnvelope, Refusal } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import type { IncomingRequest } from "./request-reader.ts";
import type { HeadWriter } from "./response-head.ts";
import { tokensOf, usageOf } from "./usage.ts";

interface UpstreamParts {
  readonly log: AttemptLog;
  readonly plans: PlanBook;
  readonly heads: HeadWriter;
  /** The keys let in; every key when absent. */
  readonly apiKeys: ReadonlySet<string> | undefined;
}

/** Everything up to these endings is a base path, which an upstream address may have. */
const ROUTE = /\/v1\/(?:(messages)|(messages\/count_tokens)|(models)|models\/([^/]+))$/;

/** Anthropic's API as far as the gateway uses it, answering as planned. */
export class UpstreamApi {
  readonly #parts: UpstreamParts;
  readonly #answers = new AnswerShelf();

  constructor(parts: UpstreamParts) {
    this.#parts = parts;
  }

  /** Answers one request and opens its record. */
  respond(request: IncomingRequest): Exchange {
    const { log, heads } = this.#parts;
    const { head } = request;
    const attempt = log.begin(request, credentialOf(head));
    const requestId = `req_sim_${attempt.sequence}`;
    const context = { heads, requestId, keepAlive: head.keepAlive, attempt };
    try {
      return exchangeOf(this.#route(request, attempt, requestId), context);
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      return exchangeOf(textReply(thrown.status, errorEnvelope(thrown, requestId)), context);
    }
  }

  #route(request: IncomingRequest, attempt: AttemptRecord, requestId: string): Reply {
    const { head } = request;
    const match = ROUTE.exec(head.path);
    if (match === null) throw new Refusal(404);
    const [, messages, countTokens, models, modelId] = match;
    const isPost = messages !== undefined || countTokens !== undefined;
    if (head.method !== (isPost ? "POST" : "GET")) throw new Refusal(405, "Method Not Allowed");
    this.#authenticate(head, attempt.apiKey);
    if (models !== undefined) return textReply(200, JSON.stringify(modelPage(head.query)));
    if (modelId !== undefined) return textReply(200, JSON.stringify(modelOf(decoded(modelId))));
    return this.#planned(request, attempt, { requestId, isMessage: messages !== undefined });
  }

  #authenticate(head: RequestHead, apiKey: string | undefined): void {
    if (apiKey === undefined) throw new Refusal(401, "x-api-key header is required");
    if (this.#parts.apiKeys?.has(apiKey) === false) throw new Refusal(401);
    if (head.header("anthropic-version") === undefined) {
      throw new Refusal(400, "anthropic-version: header is required");
    }
  }

  #planned(
    { body }: IncomingRequest,
    attempt: AttemptRecord,
    { requestId, isMessage }: { readonly requestId: string; readonly isMessage: boolean },
  ): Reply {
    const { model, stream, plan: ownPlan } = readMessageRequest(body, isMessage);
    const chosen: ChosenPlan =
      ownPlan === undefined
        ? this.#parts.plans.take(attempt.apiKey ?? "")
        : { plan: ownPlan, source: "request" };
    const { plan } = chosen;
    attempt.plan = plan.name ?? chosen.source;
    attempt.model = model;
    attempt.stream = stream && isMessage;
    if (this.#hasTooMany(attempt, plan)) throw new Refusal(429);
    if (plan.status !== undefined && plan.status !== 200) return errorReply(plan.status, plan, requestId);
    return isMessage ? this.#message(attempt, model, plan) : tokenCount(body, plan);
  }

  #hasTooMany({ apiKey }: AttemptRecord, { in_flight_max: max }: Plan): boolean {
    return max !== undefined && this.#parts.log.inFlight(apiKey) > max;
  }

  #message(attempt: AttemptRecord, model: string, plan: Plan): Reply {
    const answer = this.#answers.answerFor(plan);
    const usage = usageOf(plan, attempt.bodyBytes, answer.bytes);
    const identity = { number: attempt.sequence, model, usage };
    return { ...plannedMessage(answer, identity, plan, attempt.stream), status: 200, plan };
  }
}

function errorReply(status: number, plan: Plan, requestId: string): Reply {
  const refusal = new Refusal(status, plan.error_message);
  return textReply(status, plan.error_body ?? errorEnvelope(refusal, requestId), plan);
}

function tokenCount(body: Buffer, plan: Plan): Reply {
  const frame = frameOf(JSON.stringify({ input_tokens: plan.usage?.input_tokens ?? tokensOf(body.length) }));
  return {
    status: 200,
    contentType: "application/json",
    length: frame.bytes.length,
    body: wholeCourse([{ do: "send", frame }], plan.fault),
    plan,
  };
}

/** Accounts that signed in present a bearer token where others present a key. */
function credentialOf(head: RequestHead): string | undefined {
  return head.header("x-api-key") ?? head.header("authorization")?.replace(/^Bearer +/i, "");
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // A stray percent sign is simply part of an unknown name.
    return segment;
  }
}
