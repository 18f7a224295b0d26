import { type Answer, answerOf, type Block, bytesOf } from "./answer.ts";
import { eventFrame } from "./frame.ts";
import type { Plan } from "./plan.ts";
import type { SendStep } from "./steps.ts";

/** A content block whose events are in wire form, but for its start, which may name an id. */
interface PreparedBlock {
  readonly block: Block;
  readonly deltas: readonly { readonly step: SendStep; readonly times: number }[];
  readonly stop: SendStep;
}

/** An answer whose deltas are already in wire form, good for any number of requests. */
export interface PreparedAnswer {
  readonly answer: Answer;
  readonly blocks: readonly PreparedBlock[];
  readonly lineEnd: string;
  /** Bytes of text, thought and tool input. */
  readonly bytes: number;
  /** Number of `content_block_delta` events. */
  readonly deltaCount: number;
}

/** Prepared answers kept for reuse. */
const ANSWERS_KEPT_MAX = 64;

/** Prepares each answer once, so that under load only what differs between requests is encoded. */
export class AnswerShelf {
  readonly #prepared = new Map<string, PreparedAnswer>();

  /** The prepared answer of a plan. */
  answerFor(plan: Plan): PreparedAnswer {
    const { content, text, text_bytes, events, stop_reason, crlf } = plan;
    const key = JSON.stringify([content, text, text_bytes, events, stop_reason, crlf]);
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const fresh = prepare(answerOf(plan), crlf === true ? "\r\n" : "\n");
    this.#prepared.set(key, fresh);
    const [oldest] = this.#prepared.keys();
    if (this.#prepared.size > ANSWERS_KEPT_MAX && oldest !== undefined) this.#prepared.delete(oldest);
    return fresh;
  }
}

function prepare(answer: Answer, lineEnd: string): PreparedAnswer {
  const blocks = answer.blocks.map((block, index) => prepareBlock(block, index, lineEnd));
  return {
    answer,
    blocks,
    lineEnd,
    bytes: bytesOf(answer),
    deltaCount: blocks.flatMap(({ deltas }) => deltas).reduce((sum, { times }) => sum + times, 0),
  };
}

function prepareBlock(block: Block, index: number, lineEnd: string): PreparedBlock {
  const deltaStep = (delta: object): SendStep => {
    const data = JSON.stringify({ type: "content_block_delta", index, delta });
    return { do: "send", frame: eventFrame("content_block_delta", data, lineEnd), mark: "delta" };
  };
  const deltas = block.runs.map(({ piece, times }) => ({ step: deltaStep(deltaOf(block, piece)), times }));
  if (block.type === "thinking") {
    deltas.push({ step: deltaStep({ type: "signature_delta", signature: block.signature }), times: 1 });
  }
  const closing = JSON.stringify({ type: "content_block_stop", index });
  return { block, deltas, stop: { do: "send", frame: eventFrame("content_block_stop", closing, lineEnd) } };
}

function deltaOf(block: Block, piece: string): object {
  switch (block.type) {
    case "text":
      return { type: "text_delta", text: piece };
    case "thinking":
      return { type: "thinking_delta", thinking: piece };
    case "tool_use":
      return { type: "input_json_delta", partial_json: piece };
  }
}
