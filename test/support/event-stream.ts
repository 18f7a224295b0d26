/** One event as a reader of the stream dispatches it. */
export interface ReadEvent {
  /** Empty when no line named it. */
  readonly name: string;
  readonly data: string;
}

/**
 * Reads an event stream the way the standard says, which is also how the SDKs do: what is not ended by a blank line
 * is not an event. https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function readEvents(text: string): readonly ReadEvent[] {
  const events: ReadEvent[] = [];
  let name = "";
  let data: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/).slice(0, -1)) {
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (line === "") {
      if (data.length > 0) events.push({ name, data: data.join("\n") });
      name = "";
      data = [];
    } else if (field === "event") name = value;
    else if (field === "data") data.push(value);
  }
  return events;
}

/** What a client can make of an answer it was streamed. */
export type Verdict = "whole" | "error" | "truncated";

/**
 * Judges an answer by its events alone: `message_start`, blocks, `message_delta`, `message_stop` make it whole;
 * anything else is truncated unless its last event says that it is an error. An event that cannot be read is not
 * taken for one, as no client can, unless it is the last.
 */
export function judge(text: string): Verdict {
  const types = readEvents(text).map(typeOf);
  if (types.at(-1) === "error") return "error";
  if (types.at(-1) === "unreadable") return "truncated";
  const course = types.filter((type) => type !== "ping" && type !== "unreadable").join(" ");
  const block = "content_block_start( content_block_delta)* content_block_stop ";
  return new RegExp(`^message_start (${block})*(message_delta )+message_stop$`).test(course)
    ? "whole"
    : "truncated";
}

function typeOf({ name, data }: ReadEvent): string {
  let type: unknown;
  try {
    ({ type } = JSON.parse(data) as { type?: unknown });
  } catch {
    // Half an event that was passed on as if it were one: whatever its name, a client can make nothing of it.
    return "unreadable";
  }
  return name === "" || name === "error" ? String(name || type) : name;
}
