import { Fault, type FaultDetail } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";

/**
 * A fault that proves the upstream never saw the request: the name did not resolve, the address was
 * refused by the outbound policy, no connection came about, or the certificate was rejected, which
 * happens before the request is written. Repeating the request cannot run or bill it twice. A reset
 * connection, a TLS protocol error and an unreadable answer are no proof: they look the same before and after
 * the upstream has taken the request in.
 */
export class UnsentFault extends Fault {
  constructor(code: FaultCode, detail: FaultDetail = {}) {
    super(code, { ...detail, isUnprocessed: true });
  }
}
