import { respondFault } from "#gateway/render-fault.ts";
import { respondProblem } from "#http/problem.ts";
import { pathOf } from "#http/request-path.ts";
import { Fault } from "#kernel/fault.ts";
import { newRequestId } from "#kernel/random.ts";
import { isGatewayPath } from "./unrouted.ts";

/**
 * What a `Host` header may hold: a name or an address, and a port.
 *
 * Source: RFC 9110, section 7.2, with RFC 3986, section 3.2.2, for names and addresses.
 */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;

/** The one that was found good last: nearly all requests name the same. */
let lastGoodHost: string | undefined;

const MESSAGE = "The Host header is missing or malformed";

/**
 * Whether a request says properly which host it is for.
 *
 * Behind a malformed `Host` header the server gives a request a relative URL, and the framework, which takes
 * every URL for an absolute one, would then look up the end of its path only: `/metrics` for `/v1/x/metrics`.
 */
export function isWellAddressed({ url, headers }: Request): boolean {
  if (url.startsWith("/")) return false;
  const host = headers.get("host");
  if (host === null || host === lastGoodHost) return true;
  if (!HOST.test(host)) return false;
  lastGoodHost = host;
  return true;
}

/** Refuses a request that is not well addressed, in the words of the API that its path belongs to. */
export function respondMisaddressed({ url }: Request): Response {
  const path = pathOf(url);
  if (!isGatewayPath(path)) return respondProblem({ kind: "invalid-request", detail: MESSAGE }, path);
  return respondFault(new Fault("parse.field_invalid", { publicMessage: MESSAGE }), {
    requestId: newRequestId(),
  });
}
