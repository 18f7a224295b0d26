import { isIP } from "node:net";
import type { AddressSet } from "#config/cidr.ts";
import { type HeaderRecord, headerOf } from "#kernel/headers.ts";

/** Hops of `x-forwarded-for` that are looked at, from the nearest one on. */
const HOPS_MAX = 16;

/**
 * The address a request comes from: the socket's peer, or, while the peer is a trusted proxy, the nearest
 * address in `x-forwarded-for` that is not one.
 */
export function clientAddress(
  peer: string | undefined,
  headers: HeaderRecord,
  trusted: AddressSet,
): string | undefined {
  if (peer === undefined || trusted.isEmpty || !trusted.has(peer)) return peer;
  const hops = (headerOf(headers, "x-forwarded-for") ?? "").split(",").slice(-HOPS_MAX).reverse();
  let nearest = peer;
  for (const hop of hops) {
    const address = hop.trim();
    if (address === "") break;
    // What is no bare address, a port beside it included, is a client nobody knows.
    if (isIP(address) === 0) return undefined;
    nearest = address;
    if (!trusted.has(address)) break;
  }
  return nearest;
}
