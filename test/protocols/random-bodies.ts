import type { Shuffle } from "../coordination/shuffle.ts";

const SESSION = "0f6c2d1e-1111-4222-8333-444455556666";
const TEXTS = [
  "",
  "Warmup",
  "Hi",
  "Please write a 5-10 word title for the following conversation:",
  "So: Please write a 5-10 word title for the following conversation: x",
  "Please write a 5-10 word",
  " title for the following conversation:",
  "[SUGGESTION MODE: what next?]",
  "[SUGGESTION MODE",
  "Analyze if this message indicates a new conversation topic. If it does, extract a 2-3 word title",
  "\nalyze if this message indicates a new conversation topic. If it does, extract a 2-3 word title",
  "You are Claude Code, Anthropic's official CLI for Claude.",
  " \n you are\tclaude code ",
  "世界 🎉 é",
  "\ud83c",
  "\udf89",
  "\ud83c\udf89\ud83c",
  "\udf89\ud83c",
  '\\\\"\n\t\b\f\r/',
  "\u0000\u007f\u2028\ufeff",
  "a quite ordinary sentence, longer than a block or two of sixteen bytes",
  "x".repeat(200),
];
const NAMES = ["user", "assistant", "text", "tool_result", "tool_use_result", "ephemeral", "enabled", "high"];
const KEYS = [
  "model",
  "stream",
  "max_tokens",
  "system",
  "messages",
  "thinking",
  "output_config",
  "metadata",
  "role",
  "content",
  "type",
  "text",
  "cache_control",
  "user_id",
  "effort",
  "__proto__",
  "constructor",
  "toString",
  "",
  "rôle",
  "roles",
];
const NUMBERS = ["0", "-0", "1", "64", "-1", "1.5", "1e3", "1E+400", "9007199254740993", "0.1e-7", "12e0"];

/** Writes random Messages bodies as text: in any layout, with escapes and keys that stand twice. */
export class BodyWriter {
  readonly #shuffle: Shuffle;

  constructor(shuffle: Shuffle) {
    this.#shuffle = shuffle;
  }

  /** A body that is nearly always valid JSON, and mostly one that is accepted. */
  body(): string {
    const pairs = [
      this.#pair("model", this.#rarely(20) ? this.#any(2) : this.string("claude-sonnet-4-6")),
      this.#pair("messages", this.#rarely(20) ? this.#any(2) : this.#list(5, () => this.#message())),
    ];
    const more: readonly (() => string)[] = [
      () => this.#pair("system", this.#content()),
      () => this.#pair("stream", this.#pick(["true", "false", "true", "false", "null", "1"])),
      () => this.#pair("max_tokens", this.#pick(NUMBERS)),
      () => this.#pair("thinking", this.#object([this.#pair("type", this.#name())])),
      () => this.#pair("output_config", this.#object([this.#pair("effort", this.#name())])),
      () => this.#pair("metadata", this.#object([this.#pair("user_id", this.#userId())])),
      () => this.#pair(this.#pick(KEYS), this.#any(3)),
      () =>
        this.#pair(
          "messages",
          this.#list(3, () => this.#message()),
        ),
    ];
    for (let left = this.#shuffle.below(6); left > 0; left--) pairs.push(this.#pick(more)());
    return this.#object(pairs);
  }

  /** A string in one of the ways in which it can be written. */
  string(text: string): string {
    if (!this.#rarely(4)) return JSON.stringify(text);
    let written = "";
    for (let index = 0; index < text.length; index++) {
      const hex = text.charCodeAt(index).toString(16).padStart(4, "0");
      const isEscaped = this.#rarely(3) || /[p{Cc}"\\\ud800-\udfff]/.test(text.charAt(index)) || hex < "0020";
      if (isEscaped) written += `\\u${this.#rarely(2) ? hex : hex.toUpperCase()}`;
      else written += text.charAt(index) === "/" ? "\\/" : text.charAt(index).replaceAll(/["\\]/g, "\\$&");
    }
    return `"${written}"`;
  }

  #message(): string {
    if (this.#rarely(15)) return this.#any(2);
    const role = (): string =>
      this.#pair(
        "role",
        this.#rarely(8) ? this.#any(1) : this.string(this.#pick(["user", "user", "assistant"])),
      );
    const pairs = [role(), this.#pair("content", this.#content())];
    if (this.#rarely(10)) pairs.push(role());
    if (this.#rarely(10)) pairs.push(this.#pair("content", this.#content()));
    if (this.#rarely(10)) pairs.push(this.#pair(this.#pick(KEYS), this.#any(2)));
    return this.#object(this.#rarely(4) ? pairs.reverse() : pairs);
  }

  #content(): string {
    if (this.#rarely(12)) return this.#any(3);
    return this.#rarely(2) ? this.#text() : this.#list(4, () => this.#block());
  }

  #block(): string {
    if (this.#rarely(15)) return this.#any(2);
    const pairs = [this.#pair("text", this.#text())];
    if (!this.#rarely(5)) pairs.push(this.#pair("type", this.#rarely(3) ? this.#name() : '"text"'));
    if (this.#rarely(5)) pairs.push(this.#mark());
    if (this.#rarely(12)) pairs.push(this.#mark());
    if (this.#rarely(12)) pairs.push(this.#pair(this.#pick(["type", "text", "content"]), this.#any(2)));
    if (this.#rarely(12)) pairs.shift();
    return this.#object(this.#rarely(3) ? pairs.reverse() : pairs);
  }

  #mark(): string {
    if (this.#rarely(4)) return this.#pair("cache_control", this.#any(2));
    const types = [this.#pair("type", this.#rarely(4) ? this.#any(1) : this.string("ephemeral"))];
    if (this.#rarely(5)) types.push(this.#pair("type", this.#any(1)));
    return this.#pair("cache_control", this.#object(types));
  }

  #any(depth: number): string {
    const kind = this.#shuffle.below(depth > 0 ? 7 : 5);
    if (kind === 0) return this.#pick(["true", "false", "null"]);
    if (kind === 1) return this.#pick(NUMBERS);
    if (kind === 2) return this.#name();
    if (kind < 5) return this.#text();
    if (kind === 5) return this.#list(3, () => this.#any(depth - 1));
    return this.#object(
      Array.from({ length: this.#shuffle.below(4) }, () =>
        this.#pair(this.#pick(KEYS), this.#any(depth - 1)),
      ),
    );
  }

  #userId(): string {
    const ids = [
      JSON.stringify({ device_id: "d", session_id: SESSION }),
      `user_${"a".repeat(64)}_account__session_${SESSION}`,
      "alice",
    ];
    return this.#rarely(6) ? this.#any(1) : this.string(this.#pick(ids));
  }

  #name(): string {
    return this.string(this.#pick(NAMES));
  }

  #text(): string {
    return this.string(this.#pick(TEXTS));
  }

  #list(most: number, item: () => string): string {
    return `[${Array.from({ length: this.#shuffle.below(most + 1) }, item).join(`${this.#space()},`)}${this.#space()}]`;
  }

  #object(pairs: readonly string[]): string {
    return `${this.#space()}{${pairs.join(`${this.#space()},`)}${this.#space()}}${this.#space()}`;
  }

  #pair(key: string, value: string): string {
    return `${this.#space()}${this.string(key)}${this.#space()}:${this.#space()}${value}`;
  }

  #space(): string {
    return this.#rarely(8) ? this.#pick([" ", "\n", "\r\n\t", "  ", " ".repeat(20)]) : "";
  }

  #rarely(oneIn: number): boolean {
    return this.#shuffle.below(oneIn) === 0;
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#shuffle.below(items.length)] as Item;
  }
}
