import type { Plan } from "./plan.ts";
import { readPlan } from "./plan-reader.ts";
import { Refusal } from "./refusal.ts";

/** The fields of a Messages request that the simulator looks at. */
export interface MessageRequest {
  readonly model: string;
  readonly stream: boolean;
  /** The plan the request brings along. */
  readonly plan: Plan | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads the body of a Messages or count_tokens request.
 *
 * @throws Refusal in Anthropic's words when a field is missing or of the wrong type.
 */
export function readMessageRequest(body: Buffer, needsMaxTokens: boolean): MessageRequest {
  const fields = parse(body);
  if (needsMaxTokens) {
    need(fields, "max_tokens", (value) => Number.isInteger(value), "Input should be a valid integer");
  }
  need(fields, "messages", Array.isArray, "Input should be a valid list");
  need(fields, "model", (value) => typeof value === "string", "Input should be a valid string");
  const { model, messages, stream = false, simulator } = fields;
  if (Array.isArray(messages) && messages.length === 0) {
    throw new Refusal(400, "messages: at least one message is required");
  }
  if (typeof stream !== "boolean") throw new Refusal(400, "stream: Input should be a valid boolean");
  return { model: String(model), stream, plan: simulator === undefined ? undefined : readPlan(simulator) };
}

/**
 * Parses a JSON object.
 *
 * @throws Refusal 400 when it is not one.
 */
export function parse(body: Buffer): Json {
  const { value, problem } = parsed(body.toString("utf8"));
  if (problem !== undefined) throw new Refusal(400, `The request body is not valid JSON: ${problem}`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal(400, "Input should be a valid dictionary");
  }
  return value as Json;
}

function parsed(text: string): { readonly value?: unknown; readonly problem?: string } {
  try {
    return { value: JSON.parse(text) };
  } catch (thrown) {
    // What is wrong with the text is all there is to know.
    return { problem: thrown instanceof Error ? thrown.message : "unreadable" };
  }
}

function need(fields: Json, name: string, isRight: (value: unknown) => boolean, problem: string): void {
  if (fields[name] === undefined) throw new Refusal(400, `${name}: Field required`);
  if (!isRight(fields[name])) throw new Refusal(400, `${name}: ${problem}`);
}
