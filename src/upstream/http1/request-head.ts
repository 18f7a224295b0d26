import type { UpstreamRequest } from "#domain/upstream-request.ts";
import { Fault } from "#kernel/fault.ts";
import type { Target } from "#upstream/destinations.ts";

/** Anything that a header's value cannot hold, RFC 9110 section 5.5: a line break would begin another header. */
const UNSENDABLE = /[^\t\u0020-\u007e\u0080-\u00ff]/;

/**
 * The head of a request, every character of it one byte. Its body, if any, follows whole.
 *
 * @throws Fault `gateway.internal` for a value that no header can hold. It is not quoted: it may be a credential.
 */
export function requestHead({ method, headers, body }: UpstreamRequest, { path, host }: Target): string {
  let head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n`;
  for (const name in headers) {
    const value = headers[name] as string;
    if (UNSENDABLE.test(value)) {
      throw new Fault("gateway.internal", { internal: `the value of ${name} does not fit into a header` });
    }
    head += `${name}: ${value}\r\n`;
  }
  return body === undefined ? `${head}\r\n` : `${head}content-length: ${body.length}\r\n\r\n`;
}
