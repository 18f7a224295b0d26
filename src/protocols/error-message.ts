/** How often a message may hold an error envelope of its own; relays between us and the model nest them. */
const NESTING_MAX = 3;

/** The places of the words; whatever stands there may be of any kind. */
interface Envelope {
  readonly error?: { readonly message?: unknown } | null;
  readonly detail?: unknown;
  readonly message?: unknown;
}

/**
 * What an error answer says, in its own words: `error.message`, else `detail`, else `message`, the places where
 * the platforms and the relays in front of them put it. A message that holds such an envelope as text is opened.
 * Undefined when the body has no such text.
 */
export function readErrorMessage(body: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(body);
  let message: string | undefined;
  for (let depth = 0; depth <= NESTING_MAX; depth++) {
    const inner = messageWithin(message ?? text);
    if (inner === undefined) break;
    message = inner;
  }
  return message;
}

function messageWithin(text: string): string | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    const { error, detail, message }: Envelope = JSON.parse(text);
    return [error?.message, detail, message].find(isWords);
  } catch {
    // Not JSON, or cut off: whoever asked has words of their own.
    return undefined;
  }
}

function isWords(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
