import { Shuffle } from "../coordination/shuffle.ts";

/** A stream that an upstream may send, and what a reader must find in it. */
export interface GeneratedStream {
  readonly bytes: Uint8Array;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
}

const TEXTS = [
  "Hello",
  "世界",
  "🎉👩‍👩‍👧‍👦",
  "é\u0301",
  "event: x",
  "a\nb\n\nc",
  "data: {}",
  "\u2028",
  '"quoted" \\ ',
  "",
];

/** How lines are written; the standard allows all of them. */
interface Style {
  readonly lineEnd: "\n" | "\r\n";
  readonly space: "" | " ";
  readonly isNamed: boolean;
  readonly isSpread: boolean;
}

/** Generates a valid answer: the same one for the same seed. */
export function generateStream(seed: number): GeneratedStream {
  const shuffle = new Shuffle(seed);
  const writer = new StreamWriter(shuffle);
  const inputTokens = shuffle.below(100_000);
  const cacheReadTokens = shuffle.below(100_000);
  const outputTokens = 1 + shuffle.below(10_000);
  const usage = { input_tokens: inputTokens, output_tokens: 1, cache_read_input_tokens: cacheReadTokens };
  writer.event("message_start", {
    message: { id: "msg_1", role: "assistant", model: "real", content: [], usage },
  });
  const blocks = 1 + shuffle.below(4);
  for (let index = 0; index < blocks; index++) writer.block(index);
  writer.event("message_delta", {
    delta: { stop_reason: "end_turn" },
    usage: { output_tokens: outputTokens },
  });
  writer.event("message_stop", {});
  return { bytes: writer.bytes, inputTokens, outputTokens, cacheReadTokens };
}

class StreamWriter {
  readonly #shuffle: Shuffle;
  readonly #style: Style;
  #text = "";

  constructor(shuffle: Shuffle) {
    this.#shuffle = shuffle;
    this.#style = {
      lineEnd: shuffle.below(2) === 0 ? "\n" : "\r\n",
      space: shuffle.below(4) === 0 ? "" : " ",
      isNamed: shuffle.below(5) > 0,
      isSpread: shuffle.below(4) === 0,
    };
  }

  get bytes(): Uint8Array {
    return new TextEncoder().encode(this.#text);
  }

  /** One content block of any kind, with a few pieces. */
  block(index: number): void {
    const kind = this.#shuffle.below(3);
    const pieces = 1 + this.#shuffle.below(5);
    this.event("content_block_start", {
      index,
      content_block: { type: ["text", "thinking", "tool_use"][kind] },
    });
    for (let piece = 0; piece < pieces; piece++) {
      const text = this.#phrase();
      const deltas = [
        { type: "text_delta", text },
        { type: "thinking_delta", thinking: text },
        { type: "input_json_delta", partial_json: JSON.stringify({ text }).slice(this.#shuffle.below(4)) },
      ];
      this.event("content_block_delta", { index, delta: deltas[kind] });
    }
    this.event("content_block_stop", { index });
  }

  /** One event in this stream's style; sometimes with a comment or a ping before it. */
  event(name: string, data: object): void {
    const chance = this.#shuffle.below(12);
    if (chance === 0) this.#lines([`: ${this.#phrase().replaceAll("\n", " ")}`, ""]);
    if (chance === 1) this.#write("ping", {});
    if (chance === 2) this.#lines([":", "id: 7", "retry: 10"]);
    this.#write(name, data);
  }

  #write(name: string, data: object): void {
    const { space, isNamed, isSpread } = this.#style;
    const json = JSON.stringify({ type: name, ...data }, undefined, isSpread ? 1 : 0);
    const named = isNamed ? [`event:${space}${name}`] : [];
    this.#lines([...named, ...json.split("\n").map((line) => `data:${space}${line}`), ""]);
  }

  #lines(lines: readonly string[]): void {
    for (const line of lines) this.#text += line + this.#style.lineEnd;
  }

  #phrase(): string {
    const text = TEXTS[this.#shuffle.below(TEXTS.length)] ?? "";
    return this.#shuffle.below(40) === 0 ? text.repeat(1 + this.#shuffle.below(400)) : text;
  }
}

/** Cuts bytes at any positions: into single bytes, into a few large pieces, or anything between. */
export function cut(bytes: Uint8Array, seed: number): readonly Uint8Array[] {
  const shuffle = new Shuffle(seed);
  const longest = 1 + shuffle.below([1, 8, 64, 1_000, 100_000][shuffle.below(5)] ?? 1);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + shuffle.below(longest);
    pieces.push(bytes.slice(at, end));
    at = end;
  }
  return pieces;
}
