import type { Block } from "./answer.ts";
import { eventFrame, type Frame, frameOf } from "./frame.ts";
import type { Plan } from "./plan.ts";
import type { PreparedAnswer } from "./prepared-answer.ts";
import type { SendStep } from "./steps.ts";
import { type Usage, usageAtStart } from "./usage.ts";

/** What sets one message apart from another with the same answer. */
export interface MessageIdentity {
  /** Number in `msg_sim_<n>` and `toolu_sim_<n>`. */
  readonly number: number;
  readonly model: string;
  readonly usage: Usage;
}

/** Text before and after something that is put between. */
interface Shell {
  readonly before: string;
  readonly after: string;
}

interface FrameRun {
  readonly frame: Frame;
  readonly times: number;
}

/**
 * The events of a message stream, without pings, in the order and shape of Anthropic's streaming
 * documentation (platform.claude.com/docs/en/build-with-claude/streaming).
 */
export function* messageEvents(
  { answer, blocks, lineEnd }: PreparedAnswer,
  identity: MessageIdentity,
  deltaUsage: NonNullable<Plan["delta_usage"]>,
): Generator<SendStep> {
  const { usage } = identity;
  const { before, after } = messageShell({ ...identity, usage: usageAtStart(usage) }, null);
  const start = `{"type":"message_start","message":${before}${after}}`;
  const frame = eventFrame("message_start", start, lineEnd);
  yield { do: "send", frame, mark: "message_start", bills: usageAtStart(usage) };
  for (const [index, { block, deltas, stop }] of blocks.entries()) {
    const opening = JSON.stringify({
      type: "content_block_start",
      index,
      content_block: empty(block, identity),
    });
    yield { do: "send", frame: eventFrame("content_block_start", opening, lineEnd), mark: "block_start" };
    for (const { step, times } of deltas) {
      for (let sent = 0; sent < times; sent += 1) yield step;
    }
    yield stop;
  }
  const ending = JSON.stringify({
    type: "message_delta",
    delta: { stop_reason: answer.stopReason, stop_sequence: null },
    usage: deltaUsage === "cumulative" ? usage : { output_tokens: usage.output_tokens },
  });
  yield {
    do: "send",
    frame: eventFrame("message_delta", ending, lineEnd),
    mark: "message_delta",
    bills: usage,
  };
  const stop = eventFrame("message_stop", '{"type":"message_stop"}', lineEnd);
  yield { do: "send", frame: stop, mark: "message_stop" };
}

/** A whole message as JSON: its length in bytes, and its parts, so that a huge one is never in memory. */
export function wholeMessage(
  { answer }: PreparedAnswer,
  identity: MessageIdentity,
): { readonly length: number; readonly parts: Iterable<SendStep> } {
  const { before, after } = messageShell(identity, answer.stopReason);
  const runs = [
    { frame: frameOf(before), times: 1 },
    ...answer.blocks.flatMap((block, index) => [
      ...(index > 0 ? [{ frame: frameOf(","), times: 1 }] : []),
      ...blockRuns(block, identity),
    ]),
    { frame: frameOf(after), times: 1 },
  ];
  const length = runs.reduce((sum, { frame, times }) => sum + frame.bytes.length * times, 0);
  return { length, parts: repeated(runs, identity.usage) };
}

function* repeated(runs: readonly FrameRun[], usage: Usage): Generator<SendStep> {
  for (const [index, { frame, times }] of runs.entries()) {
    const bills = index === runs.length - 1 ? usage : undefined;
    for (let sent = 0; sent < times; sent += 1) yield { do: "send", frame, bills };
  }
}

function messageShell({ number, model, usage }: MessageIdentity, stopReason: string | null): Shell {
  const reported = JSON.stringify({ ...usage, service_tier: "standard" });
  return {
    before: `{"id":"msg_sim_${number}","type":"message","role":"assistant","content":[`,
    after:
      `],"model":${JSON.stringify(model)},"stop_reason":${JSON.stringify(stopReason)},` +
      `"stop_sequence":null,"usage":${reported}}`,
  };
}

function blockRuns(block: Block, identity: MessageIdentity): readonly FrameRun[] {
  const { before, after } = blockShell(block, identity);
  const inside = (piece: string): string =>
    block.type === "tool_use" ? piece : JSON.stringify(piece).slice(1, -1);
  return [
    { frame: frameOf(before), times: 1 },
    ...block.runs.map(({ piece, times }) => ({ frame: frameOf(inside(piece)), times })),
    { frame: frameOf(after), times: 1 },
  ];
}

function blockShell(block: Block, { number }: MessageIdentity): Shell {
  switch (block.type) {
    case "text":
      return { before: '{"type":"text","text":"', after: '"}' };
    case "thinking":
      return { before: '{"type":"thinking","thinking":"', after: `","signature":"${block.signature}"}` };
    case "tool_use":
      return {
        before: `{"type":"tool_use","id":"toolu_sim_${number}","name":"${block.name}","input":`,
        after: "}",
      };
  }
}

function empty(block: Block, { number }: MessageIdentity): object {
  switch (block.type) {
    case "text":
      return { type: "text", text: "" };
    case "thinking":
      return { type: "thinking", thinking: "", signature: "" };
    case "tool_use":
      return { type: "tool_use", id: `toolu_sim_${number}`, name: block.name, input: {} };
  }
}
