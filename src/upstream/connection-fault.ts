import { Fault } from "#kernel/fault.ts";
import { WireError } from "./http1/wire-error.ts";
import { UnsentFault } from "./unsent-fault.ts";

/** What the parser calls an answer that is not HTTP as it should be. */
const UNREADABLE_ANSWER = /^HPE_/;

/**
 * Names a failure of the transport before the answer's head was there.
 *
 * Certain that the request did not arrive, because none of it was written: an {@link UnsentFault}. Otherwise
 * `upstream.invalid_answer` for an answer that cannot be read, and `upstream.reset` for every other end of the
 * connection. What did not come from the transport is a mistake in this program and becomes `gateway.internal`.
 */
export function readConnectionFault(thrown: unknown, host: string): Fault {
  if (!(thrown instanceof WireError)) return Fault.from(thrown);
  const detail = { internal: `${thrown.code} from ${host}` };
  if (thrown.isUnsent) return new UnsentFault("upstream.connect_failed", detail);
  return new Fault(
    UNREADABLE_ANSWER.test(thrown.code) ? "upstream.invalid_answer" : "upstream.reset",
    detail,
  );
}
