import type { ByteRange } from "#kernel/json-scan.ts";
import { EncodedText, type Text } from "#protocols/body-scan/encoded-text.ts";
import {
  blocksOfMessage,
  blocksOfSystem,
  type NotedBlock,
  type ScannedMessage,
} from "#protocols/body-scan/scanner.ts";

/** What is read of a block. Source: https://platform.claude.com/docs/en/api/messages (`messages.content`). */
interface ExcerptBlock {
  /** Undefined for a block that is no text. */
  readonly text: Text | undefined;
  readonly cache_control: { readonly type: "ephemeral" } | undefined;
}

/** A message of a body that was scanned: its role, and its content once it is asked for. */
export class ExcerptMessage {
  readonly role: "user" | "assistant" | undefined;
  readonly #body: Uint8Array;
  readonly #message: ScannedMessage;
  #content: Text | readonly ExcerptBlock[] | undefined;

  constructor(body: Uint8Array, message: ScannedMessage) {
    this.role = message.role;
    this.#body = body;
    this.#message = message;
  }

  /** One text, or the blocks that hold a text or are marked for the prompt cache. */
  get content(): Text | readonly ExcerptBlock[] {
    this.#content ??= this.#readContent();
    return this.#content;
  }

  #readContent(): Text | readonly ExcerptBlock[] {
    const { content, range } = this.#message;
    if (content !== undefined) return new EncodedText(this.#body, content);
    return blocksFrom(this.#body, blocksOfMessage(this.#body, range));
  }
}

/** The blocks of a system prompt that was scanned; undefined when there is none. */
export function excerptOfSystem(
  body: Uint8Array,
  range: ByteRange | undefined,
): readonly ExcerptBlock[] | undefined {
  return range && blocksFrom(body, blocksOfSystem(body, range));
}

function blocksFrom(body: Uint8Array, noted: readonly NotedBlock[]): readonly ExcerptBlock[] {
  return noted.map(({ text, isMarked }) => ({
    text: text && new EncodedText(body, text),
    cache_control: isMarked ? { type: "ephemeral" } : undefined,
  }));
}
