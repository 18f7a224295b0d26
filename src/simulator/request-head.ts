import { Refusal } from "./refusal.ts";

/** A header as it came: the name's case is the sender's. */
export type RawHeader = readonly [name: string, value: string];

/** Largest request body, in bytes. */
export const BODY_BYTES_MAX = 64 * 1024 * 1024;

/** How the body of a request is delimited (RFC 9112, section 6.3). */
export type BodyFraming = { readonly kind: "length"; readonly bytes: number } | { readonly kind: "chunked" };

/** The request line and headers of an HTTP/1.1 request. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** Without the question mark; empty when there is none. */
  readonly query: string;
  /** The header lines as text, kept instead of a list because most are never looked at again. */
  readonly headerText: string;
  readonly framing: BodyFraming;
  /** Whether the connection may serve another request after this one. */
  readonly keepAlive: boolean;
  readonly expectsContinue: boolean;
  /** The first value of a header by its lower-case name. */
  header(name: string): string | undefined;
}

/**
 * Reads a request head without its closing blank line.
 *
 * @throws Refusal when it is not HTTP/1.x, or the body's length cannot be known, or it is too long.
 */
export function readHead(text: string): RequestHead {
  const lineEnd = text.indexOf("\r\n");
  const requestLine = lineEnd === -1 ? text : text.slice(0, lineEnd);
  const headerText = lineEnd === -1 ? "" : text.slice(lineEnd + 2);
  const match = /^([A-Z]+) (\/[^ ]*) HTTP\/1\.([01])$/.exec(requestLine);
  if (match === null) throw new Refusal(400, "The request line is not HTTP/1.1");
  const [, method = "", target = "", minor] = match;
  const headers = new Map(
    headersOf(headerText)
      .reverse()
      .map(([name, value]) => [name.toLowerCase(), value]),
  );
  const [path = "", query = ""] = target.split("?", 2);
  const connection = headers.get("connection")?.toLowerCase() ?? "";
  return {
    method,
    path,
    query,
    headerText,
    framing: framingOf(headers),
    keepAlive: minor === "1" && !connection.includes("close"),
    expectsContinue: headers.get("expect")?.toLowerCase() === "100-continue",
    header: (name) => headers.get(name),
  };
}

/** The headers in a head's text, in their order and their case. */
export function headersOf(headerText: string): RawHeader[] {
  if (headerText === "") return [];
  return headerText.split("\r\n").map((line) => {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Refusal(400, "A header line has no name");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
}

function framingOf(headers: ReadonlyMap<string, string>): BodyFraming {
  const coding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked" || length !== undefined) {
      throw new Refusal(400, "The request's transfer-encoding cannot be read");
    }
    return { kind: "chunked" };
  }
  if (length !== undefined && !/^\d+$/.test(length)) throw new Refusal(400, "content-length is not a number");
  const bytes = Number(length ?? 0);
  if (bytes > BODY_BYTES_MAX) throw new Refusal(413);
  return { kind: "length", bytes };
}
