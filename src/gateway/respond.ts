import type { RequestScope } from "#kernel/request-scope.ts";
import type { Delivered, ParsedCall } from "./call-stages.ts";
import { addRequestId, addTrace } from "./render-fault.ts";

/** The reply as a response. A whole answer needs the request's leases no more; a stream gives them back itself. */
export function respond({ reply }: Delivered, call: ParsedCall, scope: RequestScope): Response {
  addRequestId(reply.headers, call.requestId);
  addTrace(reply.headers, call);
  if (reply.kind === "whole") scope.close();
  return new Response(reply.body, { status: reply.status, headers: reply.headers });
}
