/** Content codings that Bun undoes while a body is read; anything else it leaves as it is. Names: RFC 9110 8.4.1. */
const DECODED: ReadonlySet<string> = new Set(["gzip", "x-gzip", "deflate", "br", "zstd"]);

/**
 * Takes the coding that Bun undoes off an answer's headers, and with it the length of the encoded bytes, so that
 * the headers describe the body that is read. A coding Bun does not know stays, on the body as in the headers.
 */
export function describeDecoded(response: Response): Response {
  const coding = response.headers.get("content-encoding");
  if (coding === null || !DECODED.has(coding.trim().toLowerCase())) return response;
  response.headers.delete("content-encoding");
  response.headers.delete("content-length");
  return response;
}
