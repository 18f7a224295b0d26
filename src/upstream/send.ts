import { isIP } from "node:net";
import type { Send, UpstreamRequest } from "#domain/upstream-request.ts";
import { type Clock, systemClock } from "#kernel/clock.ts";
import { Cohorts } from "#kernel/cohorts.ts";
import { Fault } from "#kernel/fault.ts";
import { createAddressPolicy } from "./address-policy.ts";
import { type BaseUrlVerdict, checkBaseUrl } from "./base-url.ts";
import { readConnectionFault } from "./connection-fault.ts";
import { describeDecoded } from "./content-coding.ts";
import { type Destination, Destinations } from "./destinations.ts";
import { type Lookup, Resolver, systemLookup } from "./resolver.ts";
import { UnsentFault } from "./unsent-fault.ts";

/**
 * How long an unused connection is kept, in seconds. Shorter than common servers keep theirs (60 s and
 * more), because a request written to a connection the server is closing cannot be repeated safely.
 */
const IDLE_SECONDS_MAX = 20;

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
   * (about two minutes) or the signal aborts. An abort with Fault `upstream.timeout` makes the next
   * request to that name begin with another address.
   *
   * @throws UnsentFault `upstream.forbidden_address`, `upstream.connect_failed`: the upstream did not see it.
   * @throws Fault `upstream.connect_failed`, `upstream.reset`, `upstream.invalid_answer`: it may have.
   * @throws the signal's reason when it aborts.
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
  const resolver = new Resolver({
    lookup: options.lookup ?? systemLookup,
    policy: addresses,
    clock: options.clock ?? systemClock,
  });
  const trustedOrigins = new Set(options.trustedOrigins);
  const client = new GuardedClient({ resolver, trustedOrigins, ca: options.certificateAuthorities });
  const policy = {
    allowPrivate: options.allowPrivate,
    addresses,
    trustedOrigins,
    resolve: (hostName: string) => resolver.resolve(hostName),
  };
  return {
    send: (request, signal) => client.send(request, signal),
    checkBaseUrl: (text) => checkBaseUrl(text, policy),
    close: () => client.close(),
  };
}

interface GuardedClientParts {
  readonly resolver: Resolver;
  readonly trustedOrigins: ReadonlySet<string>;
  readonly ca: string | undefined;
}

class GuardedClient {
  readonly #resolver: Resolver;
  readonly #trustedOrigins: ReadonlySet<string>;
  readonly #ca: string | undefined;
  readonly #destinations = new Destinations();
  readonly #answered = new Cohorts();
  /**
   * One pool for all hosts: Bun shares a TLS connection only between requests with the same `serverName`.
   * It keeps 60 such contexts at once; with more TLS hosts than that in turn, connections are not reused.
   */
  readonly #session = new Bun.FetchSession({ proxy: false, keepAlive: { idleTimeout: IDLE_SECONDS_MAX } });

  constructor(parts: GuardedClientParts) {
    this.#resolver = parts.resolver;
    this.#trustedOrigins = parts.trustedOrigins;
    this.#ca = parts.ca;
  }

  async send(request: UpstreamRequest, signal: AbortSignal): Promise<Response> {
    signal.throwIfAborted();
    const destination = this.#destinations.of(request.url);
    if (destination === undefined) {
      throw new UnsentFault("upstream.forbidden_address", {
        internal: "the address is not an http or https URL",
      });
    }
    const { origin, hostName } = destination;
    if (this.#trustedOrigins.has(origin)) return await this.#reach([hostName], destination, request, signal);
    const addresses =
      this.#resolver.cached(hostName) ?? (await untilAborted(this.#resolver.resolve(hostName), signal));
    return await this.#reach(addresses, destination, request, signal);
  }

  close(): void {
    this.#session.close();
  }

  /** Sends to the first address that can be connected to; the others see nothing of the request. */
  async #reach(
    addresses: readonly string[],
    destination: Destination,
    request: UpstreamRequest,
    signal: AbortSignal,
  ): Promise<Response> {
    const init = this.#initFor(request, destination, signal);
    let unreached: UnsentFault | undefined;
    for (const address of addresses.slice(0, ADDRESSES_TRIED_MAX)) {
      try {
        const response = await fetch(destination.at(address), init);
        await this.#answered.join();
        return describeDecoded(response);
      } catch (thrown) {
        unreached = this.#afterFailure(thrown, address, destination, signal);
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
    signal: AbortSignal,
  ): UnsentFault {
    if (signal.aborted) {
      const { reason } = signal;
      const wasSilent = reason instanceof Fault && reason.code === "upstream.timeout";
      if (wasSilent) this.#resolver.demote(hostName, address);
      throw reason;
    }
    const fault = readConnectionFault(thrown, host);
    if (!(fault instanceof UnsentFault)) throw fault;
    this.#resolver.demote(hostName, address);
    return fault;
  }

  /** The URL names an address, so the origin goes into `Host`, and for TLS into SNI and the name check. */
  #initFor(request: UpstreamRequest, destination: Destination, signal: AbortSignal): BunFetchRequestInit {
    const init: BunFetchRequestInit = {
      method: request.method,
      headers: { ...request.headers, host: destination.host },
      signal,
      session: this.#session,
      proxy: false,
      redirect: "manual",
      decompress: true,
      timeout: false,
    };
    if (request.body !== undefined) init.body = request.body;
    if (destination.isTls) init.tls = this.#tlsFor(destination.hostName);
    return init;
  }

  /** A certificate for a bare address is checked against that address, which SNI cannot carry (RFC 6066 3). */
  #tlsFor(hostName: string): BunFetchRequestInitTLS {
    const tls: BunFetchRequestInitTLS = {};
    if (this.#ca !== undefined) tls.ca = this.#ca;
    if (isIP(hostName) === 0) tls.serverName = hostName;
    return tls;
  }
}

/** Waits for `work`, but no longer than until the signal aborts; leaves no listener behind. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
