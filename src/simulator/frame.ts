/** Bytes of a response body, with the same bytes as an HTTP/1.1 chunk (RFC 9112, section 7.1). */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly chunk: Uint8Array;
}

const CRLF = "\r\n";

/** The chunk that ends a chunked body. */
export const LAST_CHUNK: Uint8Array = Buffer.from("0\r\n\r\n");

/** Puts a text into a frame. */
export function frameOf(text: string): Frame {
  const length = Buffer.byteLength(text);
  const size = length.toString(16) + CRLF;
  const chunk = Buffer.from(size + text + CRLF);
  return { chunk, bytes: chunk.subarray(size.length, size.length + length) };
}

/** Puts bytes into a frame of their own, as a copy. */
export function frameOfBytes(bytes: Uint8Array): Frame {
  const size = Buffer.from(bytes.length.toString(16) + CRLF);
  const chunk = Buffer.concat([size, bytes, Buffer.from(CRLF)]);
  return { chunk, bytes: chunk.subarray(size.length, size.length + bytes.length) };
}

/** One server-sent event with the given data, its lines ended as told. */
export function eventFrame(event: string, data: string, lineEnd: string): Frame {
  return frameOf(`event: ${event}${lineEnd}data: ${data}${lineEnd}${lineEnd}`);
}
