import { isIP } from "node:net";
import { bareHostName } from "./base-url.ts";

/** Destinations kept at once, the oldest leaving first: accounts times paths, and what clients put into queries. */
const DESTINATIONS_KEPT_MAX = 1_024;
/** A longer URL, in characters, is read anew each time, so that queries cannot fill the memory. */
const URL_LENGTH_KEPT_MAX = 512;

/** Ports of the two protocols, where a URL names none. */
const PORTS = { http: 80, https: 443 } as const;

/** What is dialled for a destination, and what is said there. */
export interface Target {
  /** Connections with the same key lead to the same place, and have proved to be the same host. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Goes into SNI, and must be in the certificate; undefined where the host is an address. */
  readonly serverName: string | undefined;
  /** Goes into `Host`. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
}

/** Where a request goes, as its URL says. */
export class Destination {
  readonly origin: string;
  /** Name or address, with the port if it is not the protocol's own: what goes into `Host`. */
  readonly host: string;
  /** Name or address, without port, brackets or a final dot. */
  readonly hostName: string;
  readonly isTls: boolean;
  readonly #port: number;
  readonly #path: string;
  #target: Target | undefined;

  constructor(url: URL) {
    const { origin, host, hostname, protocol, port, pathname, search } = url;
    this.origin = origin;
    this.host = host;
    this.hostName = bareHostName(hostname);
    this.isTls = protocol === "https:";
    this.#port = port === "" ? PORTS[this.isTls ? "https" : "http"] : Number(port);
    this.#path = `${pathname}${search}`;
  }

  /** The way there, by way of one of the host's addresses. */
  at(address: string): Target {
    if (this.#target?.address !== address) this.#target = this.#targetAt(address);
    return this.#target;
  }

  /** A certificate for a bare address is checked against that address, which SNI cannot carry (RFC 6066 3). */
  #targetAt(address: string): Target {
    const { host, isTls, hostName } = this;
    const [port, path] = [this.#port, this.#path];
    const serverName = isTls && isIP(hostName) === 0 ? hostName : undefined;
    const key = isTls ? `tls ${hostName} ${address} ${port}` : `${address} ${port}`;
    return { key, address, port, isTls, serverName, host, path };
  }
}

/** Reads URLs. Every request has one of a few, so what was read is kept: reading costs more than finding it. */
export class Destinations {
  readonly #kept = new Map<string, Destination>();

  /** Undefined for what is no URL of the web. */
  of(text: string): Destination | undefined {
    const kept = this.#kept.get(text);
    if (kept !== undefined) return kept;
    const url = URL.parse(text);
    if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined;
    const destination = new Destination(url);
    if (text.length <= URL_LENGTH_KEPT_MAX) this.#keep(text, destination);
    return destination;
  }

  #keep(text: string, destination: Destination): void {
    this.#kept.set(text, destination);
    if (this.#kept.size <= DESTINATIONS_KEPT_MAX) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }
}
