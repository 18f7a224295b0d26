import { BlockList, isIP } from "node:net";

/** A set of addresses given as single addresses and CIDR ranges. */
export interface AddressSet {
  readonly isEmpty: boolean;
  has(address: string): boolean;
}

/**
 * Reads a list of IPv4 and IPv6 addresses and CIDR ranges.
 *
 * @throws Error that names the first entry that is neither.
 */
export function readAddressSet(entries: readonly string[]): AddressSet {
  const list = new BlockList();
  for (const entry of entries) addEntry(list, entry);
  return {
    isEmpty: entries.length === 0,
    has: (address) => {
      const plain = withoutMapping(address);
      const family = isIP(plain);
      return family !== 0 && list.check(plain, family === 4 ? "ipv4" : "ipv6");
    },
  };
}

/** An IPv4 client on a dual-stack socket shows as `::ffff:1.2.3.4`; rules are written for `1.2.3.4`. */
function withoutMapping(address: string): string {
  return address.startsWith("::ffff:") && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}

function addEntry(list: BlockList, entry: string): void {
  const [address = "", prefix, ...rest] = entry.split("/");
  const family = isIP(address);
  const bitsMax = family === 4 ? 32 : 128;
  const bits = prefix === undefined ? bitsMax : Number(prefix);
  const isRange = /^\d{1,3}$/.test(prefix ?? "0") && bits <= bitsMax;
  if (family === 0 || rest.length > 0 || !isRange) {
    throw new Error(`${JSON.stringify(entry)} is not an IP address or CIDR range`);
  }
  list.addSubnet(address, bits, family === 4 ? "ipv4" : "ipv6");
}
