import type { OpenAnswer, Send, UpstreamRequest } from "#domain/upstream-request.ts";
import { type Cancellation, untilCancelled } from "#kernel/cancellation.ts";
import { type Clock, systemClock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import { createAddressPolicy } from "./address-policy.ts";
import { type BaseUrlVerdict, checkBaseUrl } from "./base-url.ts";
import { readConnectionFault } from "./connection-fault.ts";
import { decoded } from "./content-coding.ts";
import { type Destination, Destinations } from "./destinations.ts";
import { HttpClient } from "./http1/http-client.ts";
import { type Lookup, Resolver, systemLookup } from "./resolver.ts";
import { UnsentFault } from "./unsent-fault.ts";

/** Addresses of one name that are tried for one request, each only when the one before was not reached. */
const ADDRESSES_TRIED_MAX = 3;

/** How the way out is set up. */
export interface UpstreamOptions {
  /** Lets upstreams stand in loopback and private ranges. */
  readonly allowPrivate: boolean;
  /** Exact origins (`http://127.0.0.1:4000`) that are not judged: upstreams this very process has started. */
  readonly trustedOrigins: readonly string[];
  /** PEM certificates trusted instead of the built-in ones, for networks with their own authority. */
  readonly certificateAuthorities?: string;
  /** Finds addresses; the operating system's resolver unless given. */
  readonly lookup?: Lookup;
  readonly clock?: Clock;
}

/** The only way out of the house. */
export interface Upstream {
  /**
   * Fulfils the port of the domain: connects only to an address that the outbound policy allows, and to
   * that very address. Redirects come back as they are, bodies undecoded, environment proxies unused.
   *
   * Repeats nothing but a request that was certainly not sent, on the name's next address. Has no
   * time limit of its own once the name is resolved: connecting ends when the operating system gives up
   * (about two minutes) or it is cancelled. A cancellation with Fault `upstream.timeout` makes the next
   * request to that name begin with another address.
   *
   * @throws UnsentFault `upstream.forbidden_address`, `upstream.connect_failed`: the upstream did not see it.
   * @throws Fault `upstream.connect_failed`, `upstream.reset`, `upstream.invalid_answer`: it may have.
   * @throws the reason when it is cancelled.
   */
  readonly send: Send;
  /** Judges an account's base URL before it is stored; see `base-url.ts`. */
  readonly checkBaseUrl: (text: string) => Promise<BaseUrlVerdict>;
  /** Closes idle connections. Requests in flight finish. */
  close(): void;
}

/** Opens the way out. Connections, resolved names and rules belong to the returned object. */
export function openUpstream(options: UpstreamOptions): Upstream {
  const addresses = createAddressPolicy({ allowPrivate: options.allowPrivate });
  const clock = options.clock ?? systemClock;
  const resolver = new Resolver({ lookup: options.lookup ?? systemLookup, policy: addresses, clock });
  const trustedOrigins = new Set(options.trustedOrigins);
  const http = new HttpClient({ ca: options.certificateAuthorities, clock });
  const client = new GuardedClient({ resolver, trustedOrigins, http });
  const policy = {
    allowPrivate: options.allowPrivate,
    addresses,
    trustedOrigins,
    resolve: (hostName: string) => resolver.resolve(hostName),
  };
  return {
    send: (request, cancellation) => client.send(request, cancellation),
    checkBaseUrl: (text) => checkBaseUrl(text, policy),
    close: () => client.close(),
  };
}

interface GuardedClientParts {
  readonly resolver: Resolver;
  readonly trustedOrigins: ReadonlySet<string>;
  readonly http: HttpClient;
}

class GuardedClient {
  readonly #resolver: Resolver;
  readonly #trustedOrigins: ReadonlySet<string>;
  readonly #http: HttpClient;
  readonly #destinations = new Destinations();

  constructor(parts: GuardedClientParts) {
    this.#resolver = parts.resolver;
    this.#trustedOrigins = parts.trustedOrigins;
    this.#http = parts.http;
  }

  send(request: UpstreamRequest, cancellation: Cancellation): Promise<OpenAnswer> {
    const destination = this.#destinations.of(request.url);
    if (destination === undefined) {
      const internal = "the address is not an http or https URL";
      return Promise.reject(new UnsentFault("upstream.forbidden_address", { internal }));
    }
    const { origin, hostName } = destination;
    const known = this.#trustedOrigins.has(origin) ? [hostName] : this.#resolver.cached(hostName);
    return known === undefined
      ? this.#find(destination, request, cancellation)
      : this.#reach(known, destination, request, cancellation);
  }

  close(): void {
    this.#http.close();
  }

  async #find(
    destination: Destination,
    request: UpstreamRequest,
    cancellation: Cancellation,
  ): Promise<OpenAnswer> {
    const addresses = await untilCancelled(this.#resolver.resolve(destination.hostName), cancellation);
    return await this.#reach(addresses, destination, request, cancellation);
  }

  /** Sends to the first address that can be connected to; the others see nothing of the request. */
  async #reach(
    addresses: readonly string[],
    destination: Destination,
    request: UpstreamRequest,
    cancellation: Cancellation,
  ): Promise<OpenAnswer> {
    cancellation.throwIfCancelled();
    let unreached: UnsentFault | undefined;
    for (const address of addresses.slice(0, ADDRESSES_TRIED_MAX)) {
      try {
        return decoded(await this.#http.send(request, destination.at(address), cancellation));
      } catch (thrown) {
        unreached = this.#afterFailure(thrown, address, destination, cancellation);
      }
    }
    const internal = `no address for ${destination.host}`;
    throw unreached ?? new UnsentFault("upstream.connect_failed", { internal });
  }

  /** Returns when the request may go to another address, because this one certainly never saw it. */
  #afterFailure(
    thrown: unknown,
    address: string,
    { host, hostName }: Destination,
    cancellation: Cancellation,
  ): UnsentFault {
    if (cancellation.isCancelled) {
      const { reason } = cancellation;
      const wasSilent = reason instanceof Fault && reason.code === "upstream.timeout";
      if (wasSilent) this.#resolver.demote(hostName, address);
      throw reason;
    }
    const fault = readConnectionFault(thrown, host);
    if (!(fault instanceof UnsentFault)) throw fault;
    this.#resolver.demote(hostName, address);
    return fault;
  }
}
