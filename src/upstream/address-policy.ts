import { BlockList, isIP } from "node:net";

/** Addresses of one's own networks, reachable only when private upstreams are allowed. */
const PRIVATE_RANGES = [
  "0.0.0.0/8", // RFC 1122 3.2.1.3: "this host"; Linux connects it to loopback.
  "10.0.0.0/8", // RFC 1918.
  "100.64.0.0/10", // RFC 6598: carrier-grade NAT.
  "127.0.0.0/8", // RFC 1122 3.2.1.3: loopback.
  "172.16.0.0/12", // RFC 1918.
  "192.168.0.0/16", // RFC 1918.
  "198.18.0.0/15", // RFC 2544: benchmarking; local proxies also hand these out as stand-ins for names.
  "::/128", // RFC 4291 2.5.2: unspecified.
  "::1/128", // RFC 4291 2.5.3: loopback.
  "64:ff9b:1::/48", // RFC 8215: translation prefix for local use.
  "fc00::/7", // RFC 4193: unique local.
] as const;

/**
 * Addresses no upstream ever has. They stay forbidden when private upstreams are allowed, because the
 * metadata services among them hand the machine's own credentials to whoever asks.
 */
const OFF_LIMITS_RANGES = [
  "100.100.100.200/32", // Alibaba Cloud: instance metadata.
  "168.63.129.16/32", // Azure: the virtual public address of the host's wire server.
  "169.254.0.0/16", // RFC 3927: link-local; holds 169.254.169.254, the metadata of most clouds.
  "192.0.0.0/24", // RFC 6890: protocol assignments; holds 192.0.0.192, Oracle Cloud's classic metadata.
  "192.0.2.0/24", // RFC 5737: documentation.
  "192.88.99.0/24", // RFC 7526: 6to4 relays, withdrawn.
  "198.51.100.0/24", // RFC 5737: documentation.
  "203.0.113.0/24", // RFC 5737: documentation.
  "224.0.0.0/4", // RFC 5771: multicast.
  "240.0.0.0/4", // RFC 1112 4: reserved; holds 255.255.255.255, broadcast (RFC 919).
  "2001::/23", // RFC 2928: protocol assignments; holds Teredo (RFC 4380), ORCHID and benchmarking.
  "2001:db8::/32", // RFC 3849: documentation.
  "2002::/16", // RFC 3056: 6to4, which hides an IPv4 address inside; withdrawn in practice (RFC 7526).
  "3fff::/20", // RFC 9637: documentation.
  "fd00:ec2::/32", // Amazon EC2: local services; holds fd00:ec2::254, instance metadata.
  "fd20:ce::254/128", // Google Cloud: instance metadata.
] as const;

/** RFC 6052 2.1: networks without IPv4 reach it through this prefix; the last 32 bits are the address. */
const NAT64_PREFIX = "64:ff9b::";
const NAT64_BITS = 96;

/**
 * What can be on the public internet at all. IPv6 outside these is unassigned (RFC 4291 2.4), which
 * forbids link-local fe80::/10, multicast ff00::/8 and IPv4-compatible ::/96 without naming them.
 */
const ROUTABLE_RANGES = ["0.0.0.0/0", "2000::/3", `${NAT64_PREFIX}/${NAT64_BITS}`] as const;

/** Decides which addresses the gateway may connect to. */
export interface AddressPolicy {
  /** Why the address may not be connected to, in words for an operator; undefined when it may. */
  refusalOf(address: string): string | undefined;
}

/**
 * The rules for outbound addresses: public ones are allowed, those of one's own networks only when
 * `allowPrivate` is set, metadata services and addresses that name no host never.
 *
 * An IPv4 address inside an IPv6 one (mapped, RFC 4291 2.5.5.2; NAT64) is judged as that IPv4 address.
 * Anything that is not a plain IP address, zone indexes included, is refused.
 */
export function createAddressPolicy(options: { readonly allowPrivate: boolean }): AddressPolicy {
  const routable = listOf(ROUTABLE_RANGES);
  const offLimits = listOf(withTranslated(OFF_LIMITS_RANGES));
  const own = listOf(withTranslated(PRIVATE_RANGES));
  const isPublic = (address: string, family: Family): boolean =>
    routable.check(address, family) && !own.check(address, family);
  return {
    refusalOf(address) {
      const family = familyOf(address);
      if (family === undefined) return `${JSON.stringify(address)} is not an IP address`;
      if (offLimits.check(address, family)) return `${address} is never a valid upstream address`;
      if (isPublic(address, family)) return undefined;
      const isAllowed = options.allowPrivate && own.check(address, family);
      return isAllowed ? undefined : `${address} is not a public address`;
    },
  };
}

type Family = "ipv4" | "ipv6";

function familyOf(address: string): Family | undefined {
  const version = address.includes("%") ? 0 : isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? "ipv4" : "ipv6";
}

/**
 * Adds the NAT64 form of every IPv4 range. The mapped form needs no rule: `BlockList` applies IPv4
 * rules to mapped addresses, and would in turn apply a rule for `::ffff:0:0/96` to all of IPv4.
 */
function withTranslated(ranges: readonly string[]): string[] {
  const translated = ranges
    .map(splitRange)
    .filter(({ family }) => family === "ipv4")
    .map(({ address, bits }) => `${NAT64_PREFIX}${address}/${NAT64_BITS + bits}`);
  return [...ranges, ...translated];
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const { address, bits, family } of ranges.map(splitRange)) list.addSubnet(address, bits, family);
  return list;
}

function splitRange(range: string): { address: string; bits: number; family: Family } {
  const [address = "", bits = ""] = range.split("/");
  return { address, bits: Number(bits), family: isIP(address) === 4 ? "ipv4" : "ipv6" };
}
