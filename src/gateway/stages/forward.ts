import { costOf } from "#billing/prices.ts";
import type { Account } from "#domain/account.ts";
import { mappedModel } from "#domain/model-mapping.ts";
import type { OpenAnswer } from "#domain/upstream-request.ts";
import type { Funded, ParsedCall, Reply, StreamedReply } from "#gateway/call-stages.ts";
import { faultEvent } from "#gateway/render-fault.ts";
import type { GatewayServices } from "#gateway/services.ts";
import { StreamRelay } from "#gateway/stream-relay.ts";
import { type HeldAccount, UpstreamCall } from "#gateway/upstream-call.ts";
import { type HeaderRecord, headerOf } from "#kernel/headers.ts";
import type { RequestScope } from "#kernel/request-scope.ts";
import type { Secret } from "#kernel/secret.ts";

/** Largest answer that is not a stream, and largest error answer, in bytes. */
const WHOLE_BYTES_MAX = 67_108_864;
const ERROR_BYTES_MAX = 2_097_152;

/**
 * Sends the call once, through one account, and returns when the answer has begun, before any byte of it has
 * gone to the client. The account's slot goes back when the upstream is done with it, however that comes about.
 *
 * @throws Fault `upstream.*` with a verdict on what may be tried next; `admit.client_gone`.
 */
export async function forward(
  call: ParsedCall & Funded,
  attempt: Attempt,
  scope: RequestScope,
  services: GatewayServices,
): Promise<Reply> {
  const { provider } = call;
  const { limits } = services;
  const { account, onAccepted } = attempt;
  const upstreamCall = new UpstreamCall(attempt, scope, services.stallWatch);
  try {
    upstreamCall.expectWithin(call.stream ? limits.firstTokenMs : limits.responseMs, "upstream.timeout");
    const answer = await services.send(provider.buildRequest(call, account), upstreamCall.cancellation);
    const { status, headers } = answer;
    services.health.responded(account, provider.readLimits(headers, services.clock.now()));
    if (status < 200 || status > 299) {
      const body = withoutCredential(await answer.bytes(ERROR_BYTES_MAX), account.credential);
      throw provider.readFault({ status, headers, body });
    }
    onAccepted();
    const isRenamed = mappedModel(account.modelMapping, call.model) !== call.model;
    if (isEventStream(headers)) {
      return await relayStream({ call, answer, upstreamCall, isRenamed }, scope, services);
    }
    const reading = answer.bytes(WHOLE_BYTES_MAX);
    const bytes = reading instanceof Promise ? await reading : reading;
    const body = (isRenamed ? provider.renameModel(bytes, call.model) : undefined) ?? bytes;
    upstreamCall.finish();
    return {
      kind: "whole",
      status,
      headers: provider.relayHeaders(headers),
      body,
      usage: provider.readUsage(body),
    };
  } catch (thrown) {
    const fault = upstreamCall.faultOf(thrown);
    upstreamCall.fail(fault);
    throw fault;
  }
}

/** One try with one account. */
export interface Attempt extends HeldAccount {
  readonly account: Account;
  /** Called when the upstream has taken the request in. */
  readonly onAccepted: () => void;
}

interface StreamParts {
  readonly call: ParsedCall & Funded;
  readonly answer: OpenAnswer;
  readonly upstreamCall: UpstreamCall;
  /** The upstream was asked for another model than the client had named, and answers in that name. */
  readonly isRenamed: boolean;
}

async function relayStream(
  { call, answer, upstreamCall, isRenamed }: StreamParts,
  scope: RequestScope,
  { clock, limits, stallWatch }: GatewayServices,
): Promise<StreamedReply> {
  const { hold, price } = call;
  const { rateMultiplierNanos } = call.principal;
  const relay = new StreamRelay({
    upstream: answer.stream(),
    meter: call.provider.openMeter(),
    call: upstreamCall,
    clientSignal: scope.signal,
    stallWatch,
    clock,
    limits,
    renderFault: (fault) => faultEvent(fault, call),
    readError: call.provider.readStreamError,
    rename: isRenamed ? (events) => call.provider.renameModelInEvents(events, call.model) : undefined,
    onUsed: hold && ((usage) => hold.noteUsed(Number(price ? costOf(price, usage, rateMultiplierNanos) : 0))),
    onClientEnd: () => scope.close(),
  });
  if (hold !== undefined) hold.onExhausted = () => relay.breakOff("billing.exhausted");
  await relay.begun;
  const headers = call.provider.relayHeaders(answer.headers);
  headers["cache-control"] = "no-cache";
  const { body, ended, firstTokenAt } = relay;
  return { kind: "stream", status: answer.status, headers, body, ended, firstTokenAt };
}

/** Whether the body is an event stream in the clear; any other answer is read whole. */
function isEventStream(headers: HeaderRecord): boolean {
  const type = headerOf(headers, "content-type")?.toLowerCase();
  return type?.startsWith("text/event-stream") === true && isPlain(headers);
}

function isPlain(headers: HeaderRecord): boolean {
  return (headerOf(headers, "content-encoding") ?? "identity") === "identity";
}

/** An upstream that repeats our credential in its error must not show it to the client or the log. */
function withoutCredential(body: Uint8Array, credential: Secret): Uint8Array {
  const value = credential.reveal();
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (value === "" || !bytes.includes(value)) return body;
  return Buffer.from(bytes.toString("latin1").replaceAll(value, String(credential)), "latin1");
}
