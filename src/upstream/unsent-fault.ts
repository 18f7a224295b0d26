import { Fault } from "#kernel/fault.ts";

/**
 * A fault that proves the upstream never saw the request: the name did not resolve, the address was
 * refused by the outbound policy, no connection came about, or the certificate was rejected, which
 * happens before the request is written. Repeating the request cannot run or bill it twice.
 */
export class UnsentFault extends Fault {}

/**
 * Whether the request certainly did not reach the upstream. False means it may have: a reset
 * connection, a TLS protocol error and an unreadable answer all look the same before and after the
 * upstream has taken the request in.
 */
export function wasNotSent(fault: Fault): boolean {
  return fault instanceof UnsentFault;
}
