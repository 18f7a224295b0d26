import { isText, type Text } from "#protocols/body-scan/encoded-text.ts";
import { asRecord } from "./usage.ts";

/**
 * The texts of a message's content or of a system prompt, in order. Both may be one string or a list of blocks;
 * blocks that are no text are left out.
 *
 * Source: https://platform.claude.com/docs/en/api/messages (`messages.content`, `system`).
 */
export function textsOf(content: unknown): readonly Text[] {
  if (isText(content)) return [content];
  return Array.isArray(content) ? content.map(textOf).filter((text) => text !== undefined) : [];
}

function textOf(block: unknown): Text | undefined {
  const { type, text } = asRecord(block);
  return isText(text) && (type === undefined || type === "text") ? text : undefined;
}
