import { lookup as lookupOfSystem } from "node:dns/promises";
import { isIP } from "node:net";
import type { Clock } from "#kernel/clock.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import type { AddressPolicy } from "./address-policy.ts";
import { UnsentFault } from "./unsent-fault.ts";

/** Names kept at once, the least recently looked up leaving first. */
export const NAMES_KEPT_MAX = 1_024;
/** How long an answer is used. `getaddrinfo` does not tell an answer's own lifetime. */
export const ANSWER_MS_MAX = 30_000;
/** How long a refusal or a failure is remembered, so that a broken name is not looked up per request. */
export const FAILURE_MS_MAX = 2_000;
/** How long an old answer stands in while lookups fail (RFC 8767 serves stale answers the same way). */
export const STALE_MS_MAX = 300_000;
/** Longest wait for one lookup. */
export const LOOKUP_MS_MAX = 5_000;
/** Names being looked up at once; lookups occupy a small pool of threads. */
export const LOOKUPS_AT_ONCE_MAX = 256;

/** Finds the addresses of a host name, the best one first. Rejects when there are none. */
export type Lookup = (hostName: string) => Promise<readonly string[]>;

/** Asks the operating system, which honours its hosts file and search rules (RFC 6724 order). */
export const systemLookup: Lookup = async (hostName) => {
  const found = await lookupOfSystem(hostName, { all: true, verbatim: true });
  return found.map(({ address }) => address);
};

interface Answer {
  readonly addresses: readonly string[];
  readonly expiresAtMs: number;
  readonly staleAtMs: number;
}

interface Failure {
  readonly code: FaultCode;
  readonly internal: string;
  readonly cause: unknown;
  readonly expiresAtMs: number;
}

type Entry = Answer | Failure;

interface ResolverParts {
  readonly lookup: Lookup;
  readonly policy: AddressPolicy;
  readonly clock: Clock;
}

/**
 * Turns host names into addresses that may be connected to.
 *
 * Every address of a name is judged and one forbidden address refuses the name: an upstream that
 * answers with a mixture is either misconfigured or probing. Callers connect to the very address they
 * get from here, so a name that changes its mind afterwards gains nothing.
 */
export class Resolver {
  readonly #lookup: Lookup;
  readonly #policy: AddressPolicy;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #flights = new Map<string, Promise<Entry>>();

  constructor(parts: ResolverParts) {
    this.#lookup = parts.lookup;
    this.#policy = parts.policy;
    this.#clock = parts.clock;
  }

  /**
   * The allowed addresses of a name (or of an IP literal, without brackets), preferred first, when they
   * are known; undefined when they have to be resolved.
   *
   * @throws UnsentFault when the name was refused or not found a moment ago.
   */
  cached(hostName: string): readonly string[] | undefined {
    const entry = this.#entries.get(hostName);
    if (entry === undefined || entry.expiresAtMs <= this.#clock.monotonic()) return undefined;
    return addressesOf(entry);
  }

  /**
   * The allowed addresses of a name, preferred first, never empty. One lookup serves all who ask at once.
   *
   * @throws UnsentFault `upstream.forbidden_address` when any address is forbidden.
   * @throws UnsentFault `upstream.connect_failed` when the name has no address or the lookup takes too long.
   */
  async resolve(hostName: string): Promise<readonly string[]> {
    const known = this.cached(hostName);
    if (known !== undefined) return known;
    const underway = this.#flights.get(hostName);
    if (underway !== undefined) return addressesOf(await underway);
    if (this.#flights.size >= LOOKUPS_AT_ONCE_MAX) {
      throw new UnsentFault("upstream.connect_failed", {
        internal: `too many lookups for ${hostName} to start`,
      });
    }
    const flight = this.#find(hostName).finally(() => this.#flights.delete(hostName));
    this.#flights.set(hostName, flight);
    return addressesOf(await flight);
  }

  /** Puts an address that could not be connected to behind the name's other addresses. */
  demote(hostName: string, address: string): void {
    const entry = this.#entries.get(hostName);
    if (entry === undefined || !("addresses" in entry) || entry.addresses[0] !== address) return;
    this.#entries.set(hostName, { ...entry, addresses: [...entry.addresses.slice(1), address] });
  }

  async #find(hostName: string): Promise<Entry> {
    const entry = await this.#ask(hostName);
    this.#entries.delete(hostName);
    this.#entries.set(hostName, entry);
    if (this.#entries.size > NAMES_KEPT_MAX) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    return entry;
  }

  async #ask(hostName: string): Promise<Entry> {
    try {
      const found = isIP(hostName) === 0 ? await withinLimit(this.#lookup(hostName)) : [hostName];
      return this.#judge(hostName, found);
    } catch (thrown) {
      return this.#afterFailure(hostName, thrown);
    }
  }

  #judge(hostName: string, addresses: readonly string[]): Entry {
    const nowMs = this.#clock.monotonic();
    for (const address of addresses) {
      const refusal = this.#policy.refusalOf(address);
      if (refusal !== undefined) {
        const internal = hostName === address ? refusal : `${hostName} resolves to ${address}: ${refusal}`;
        return {
          code: "upstream.forbidden_address",
          internal,
          cause: undefined,
          expiresAtMs: nowMs + FAILURE_MS_MAX,
        };
      }
    }
    if (addresses.length === 0) throw new Error("the lookup found no address");
    return { addresses, expiresAtMs: nowMs + ANSWER_MS_MAX, staleAtMs: nowMs + STALE_MS_MAX };
  }

  #afterFailure(hostName: string, thrown: unknown): Entry {
    const nowMs = this.#clock.monotonic();
    const before = this.#entries.get(hostName);
    if (before !== undefined && "addresses" in before && nowMs < before.staleAtMs) {
      return { ...before, expiresAtMs: nowMs + FAILURE_MS_MAX };
    }
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    return {
      code: "upstream.connect_failed",
      internal: `cannot resolve ${hostName}: ${detail}`,
      cause: thrown,
      expiresAtMs: nowMs + FAILURE_MS_MAX,
    };
  }
}

function addressesOf(entry: Entry): readonly string[] {
  if ("addresses" in entry) return entry.addresses;
  throw new UnsentFault(entry.code, { internal: entry.internal, cause: entry.cause });
}

async function withinLimit<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`no answer within ${LOOKUP_MS_MAX} ms`)),
    LOOKUP_MS_MAX,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
