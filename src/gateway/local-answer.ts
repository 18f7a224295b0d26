import type { Account } from "#domain/account.ts";
import { NO_USAGE } from "#domain/usage-record.ts";
import { randomBytes } from "#kernel/random.ts";
import { isProbe } from "#protocols/anthropic/housekeeping.ts";
import { messageEvents, messageJson } from "#protocols/anthropic/local-message.ts";
import type { Housekeeping } from "#protocols/call-facts.ts";
import type { ParsedCall, Reply } from "./call-stages.ts";
import type { Checked } from "./stages/check-client.ts";

/** Why a request is answered here: an assistant's housekeeping, or its question whether the model answers. */
type LocalKind = Housekeeping | "probe";

type AskedCall = Pick<
  ParsedCall & Checked,
  "operation" | "model" | "maxTokens" | "stream" | "housekeeping" | "client"
>;

/** Random bytes that set one local answer apart from every other. */
const ID_BYTES = 12;

const ANSWERS: Readonly<Record<LocalKind, { text: string; stopReason: "end_turn" | "max_tokens" }>> = {
  warmup: { text: "New Conversation", stopReason: "end_turn" },
  suggestion: { text: "", stopReason: "end_turn" },
  probe: { text: "#", stopReason: "max_tokens" },
};

/**
 * Whether a request that has come to this account is answered here instead, and why; undefined: it is sent on.
 * A probe is taken for one only from Claude Code, because anybody may ask for a single token and mean it.
 */
export function localKindFor(
  { interceptsWarmup }: Pick<Account, "interceptsWarmup">,
  call: AskedCall,
): LocalKind | undefined {
  if (!interceptsWarmup || call.operation !== "messages") return undefined;
  return call.client !== undefined && isProbe(call) ? "probe" : call.housekeeping;
}

/**
 * The answer to such a request, in the form the client asked for. It says that it is local, in its id and in the
 * header `x-sluice-local`, and that nothing was used. Streamed or not, all of it is there at once.
 */
export function localAnswer(kind: LocalKind, { model, stream }: Pick<AskedCall, "model" | "stream">): Reply {
  const id = `msg_local_${kind}_${Buffer.from(randomBytes(ID_BYTES)).toString("hex")}`;
  const message = { id, model, ...ANSWERS[kind] };
  return {
    kind: "whole",
    status: 200,
    headers: {
      "content-type": stream ? "text/event-stream" : "application/json",
      "cache-control": "no-cache",
      "x-sluice-local": kind,
    },
    body: stream ? messageEvents(message) : messageJson(message),
    usage: NO_USAGE,
  };
}
