/** A short text to be given as a message of the Messages API. */
export interface LocalMessage {
  readonly id: string;
  readonly model: string;
  readonly text: string;
  readonly stopReason: "end_turn" | "max_tokens";
}

/** Nothing was asked of a model. */
const NOTHING_USED = {
  input_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  output_tokens: 0,
};

const utf8 = new TextEncoder();

/** The message as JSON. Shape: https://platform.claude.com/docs/en/api/messages */
export function messageJson(message: LocalMessage): Uint8Array {
  const content = [{ type: "text", text: message.text }];
  return utf8.encode(JSON.stringify(shell(message, content, message.stopReason)));
}

/** The message as the events of a stream. Shape: https://platform.claude.com/docs/en/build-with-claude/streaming */
export function messageEvents(message: LocalMessage): Uint8Array {
  const events = [
    { type: "message_start", message: shell(message, [], null) },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: message.text } },
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason: message.stopReason, stop_sequence: null },
      usage: NOTHING_USED,
    },
    { type: "message_stop" },
  ];
  const frames = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  return utf8.encode(frames.join(""));
}

function shell({ id, model }: LocalMessage, content: readonly object[], stopReason: string | null): object {
  return {
    id,
    type: "message",
    role: "assistant",
    model,
    content,
    stop_reason: stopReason,
    stop_sequence: null,
    usage: NOTHING_USED,
  };
}
