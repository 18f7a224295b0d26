import { bareHostName } from "./base-url.ts";

/** Destinations kept at once, the oldest leaving first: accounts times paths, and what clients put into queries. */
const DESTINATIONS_KEPT_MAX = 1_024;
/** A longer URL, in characters, is read anew each time, so that queries cannot fill the memory. */
const URL_LENGTH_KEPT_MAX = 512;

/** Where a request goes, as its URL says. */
export class Destination {
  readonly origin: string;
  /** Name or address, with the port if it is not the protocol's own: what goes into `Host`. */
  readonly host: string;
  /** Name or address, without port, brackets or a final dot. */
  readonly hostName: string;
  readonly isTls: boolean;
  readonly #protocol: string;
  readonly #rest: string;
  #address = "";
  #pinned = "";

  constructor(url: URL) {
    const { origin, host, hostname, protocol, port, pathname, search } = url;
    this.origin = origin;
    this.host = host;
    this.hostName = bareHostName(hostname);
    this.isTls = protocol === "https:";
    this.#protocol = protocol;
    this.#rest = `${port === "" ? "" : `:${port}`}${pathname}${search}`;
  }

  /** The URL with an address in place of the host. */
  at(address: string): string {
    if (address !== this.#address) {
      const host = address.includes(":") ? `[${address}]` : address;
      this.#pinned = `${this.#protocol}//${host}${this.#rest}`;
      this.#address = address;
    }
    return this.#pinned;
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
