import type { Plan, PlanContent } from "./plan.ts";

/** A piece of an answer that is sent so many times in a row, one delta each. */
interface Run {
  readonly piece: string;
  readonly times: number;
}

/** One content block of an answer. The pieces of `tool_use` add up to a JSON object. */
export type Block =
  | { readonly type: "text"; readonly runs: readonly Run[] }
  | { readonly type: "thinking"; readonly runs: readonly Run[]; readonly signature: string }
  | { readonly type: "tool_use"; readonly runs: readonly Run[]; readonly name: string };

/** What is answered, before it is put on the wire. */
export interface Answer {
  readonly blocks: readonly Block[];
  readonly stopReason: string;
}

const DEMO_TEXT =
  "This is Sluice's demo upstream — a simulator, not a model. " +
  "It gives everyone the same answer: hello, 世界! Grüße, olá, здравствуйте 👋🌊";

/** Bytes of made-up text in a delta when a plan only says how many deltas there are. */
const EVENT_BYTES = 16;

/** 25 bytes, with characters of one to four bytes and none that JSON would escape. */
const FILLER = "demo — é 世 🌊 text. ";
const FILLER_BYTES = Buffer.byteLength(FILLER);

const SIGNATURE = Buffer.from("the simulator thought about this").toString("base64");
const once = (piece: string): Run => ({ piece, times: 1 });

const THINKING: Block = {
  type: "thinking",
  runs: ["The request reached the simulator, ", "so a fixed answer will do 🤔."].map(once),
  signature: SIGNATURE,
};

/** The answer a plan describes. It depends on the plan's content fields and on nothing else. */
export function answerOf(plan: Plan): Answer {
  const blocks = blocksOf(plan);
  const stopReason = plan.stop_reason ?? (blocks.at(-1)?.type === "tool_use" ? "tool_use" : "end_turn");
  return { blocks, stopReason };
}

/** Bytes of text, thought and tool input in an answer. */
export function bytesOf({ blocks }: Answer): number {
  return blocks
    .flatMap(({ runs }) => runs)
    .reduce((sum, { piece, times }) => sum + Buffer.byteLength(piece) * times, 0);
}

function blocksOf(plan: Plan): readonly Block[] {
  const content: PlanContent = plan.content ?? "text";
  switch (content) {
    case "thinking":
      return [THINKING, { type: "text", runs: textRuns(plan) }];
    case "tool_use":
      return [toolUse(textRuns(plan))];
    case "mixed":
      return [THINKING, { type: "text", runs: textRuns(plan) }, toolUse([once("Zürich "), once("🏔️")])];
    case "text":
      return [{ type: "text", runs: textRuns(plan) }];
  }
}

/** The first piece is empty because Anthropic opens a tool's input with an empty `partial_json`. */
function toolUse(runs: readonly Run[]): Block {
  const inside = runs.map(({ piece, times }) => ({ piece: JSON.stringify(piece).slice(1, -1), times }));
  return {
    type: "tool_use",
    name: "get_weather",
    runs: [once(""), once('{"location": "'), ...inside, once('"}')],
  };
}

function textRuns({ text, text_bytes, events }: Plan): readonly Run[] {
  if (text !== undefined) return piecesOf(text, events).map(once);
  if (text_bytes !== undefined || events !== undefined) {
    return [{ piece: filler(text_bytes ?? EVENT_BYTES), times: events ?? 1 }];
  }
  return piecesOf(DEMO_TEXT, undefined).map(once);
}

function piecesOf(text: string, count: number | undefined): readonly string[] {
  if (count === undefined) return text.match(/\S+\s*|\s+/g) ?? [""];
  const characters = [...text];
  const edge = (index: number): number => Math.floor((index * characters.length) / count);
  return Array.from({ length: count }, (_, index) => characters.slice(edge(index), edge(index + 1)).join(""));
}

function filler(bytes: number): string {
  const whole = Math.floor(bytes / FILLER_BYTES);
  return FILLER.repeat(whole) + ".".repeat(bytes - whole * FILLER_BYTES);
}
