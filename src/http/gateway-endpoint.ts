import type { Server } from "bun";
import type { AddressSet } from "#config/cidr.ts";
import type { InboundCall } from "#gateway/call-stages.ts";
import { relay } from "#gateway/pipeline.ts";
import type { GatewayServices } from "#gateway/services.ts";
import type { Cohorts } from "#kernel/cohorts.ts";
import { type HeaderRecord, recordOf } from "#kernel/headers.ts";
import { OnceLease } from "#kernel/lease.ts";
import { newRequestId } from "#kernel/random.ts";
import type { Operation } from "#providers/provider.ts";
import { clientAddress } from "./client-address.ts";
import { type BodyLimits, type BodyOwner, readBody } from "./inbound.ts";

/** What HTTP itself needs to know to take a gateway request in. */
export interface GatewayEndpointOptions {
  readonly services: GatewayServices;
  readonly bodyLimits: BodyLimits;
  /** Requests whose bodies are there go on together. */
  readonly arrivals: Cohorts;
  readonly trustedProxies: AddressSet;
  /** True once the process is shutting down: connections are not kept. */
  readonly isDraining: () => boolean;
}

/** Bun's server, as far as one request needs it; null where a test calls without one. */
export type RequestServer = Pick<Server<unknown>, "timeout" | "requestIP"> | null;

/** How long an idle connection is kept between requests, in seconds. */
export const KEEP_ALIVE_SECONDS = 30;

/** Takes one request of the gateway API in and answers it. */
export async function handleGateway(
  { request, server }: { readonly request: Request; readonly server: RequestServer },
  operation: Operation,
  options: GatewayEndpointOptions,
): Promise<Response> {
  // Bun would cut an answer that is silent for the idle time; every wait on this path has a limit of its own.
  server?.timeout(request, 0);
  const arrival = new Arrival(request, server, operation, options);
  const response = await relay(arrival, options.services);
  // A client whose upload was given up could go on with it for as long as it likes.
  if (arrival.isGivenUp || options.isDraining()) response.headers.set("connection", "close");
  return response;
}

/** A request as it has come in over HTTP. Every request makes one: its methods are no closures. */
class Arrival extends OnceLease implements InboundCall, BodyOwner {
  readonly requestId = newRequestId();
  readonly dialect = "anthropic";
  readonly operation: Operation;
  readonly headers: HeaderRecord;
  readonly query: string;
  readonly signal: AbortSignal;
  readonly clientAddress: string | undefined;
  readonly arrivedAtMs: number;
  readonly startedAt: number;
  isGivenUp = false;
  readonly #request: Request;
  readonly #server: RequestServer;
  readonly #options: GatewayEndpointOptions;

  constructor(
    request: Request,
    server: RequestServer,
    operation: Operation,
    options: GatewayEndpointOptions,
  ) {
    super();
    const { clock } = options.services;
    this.operation = operation;
    this.headers = recordOf(request.headers);
    this.query = queryOf(request.url);
    this.signal = request.signal;
    const peer = server?.requestIP(request)?.address;
    this.clientAddress = clientAddress(peer, this.headers, options.trustedProxies);
    this.arrivedAtMs = clock.now();
    this.startedAt = clock.monotonic();
    this.#request = request;
    this.#server = server;
    this.#options = options;
  }

  get arrivals(): Cohorts {
    return this.#options.arrivals;
  }

  readBody(): Promise<Uint8Array> {
    const { bodyLimits, services } = this.#options;
    return readBody(this.#request, bodyLimits, services.stallWatch, this);
  }

  onGivenUp(): void {
    this.isGivenUp = true;
  }

  /** The lifted limit stays with the connection after the answer and would keep it open for ever. */
  protected override giveBack(): void {
    this.#server?.timeout(this.#request, KEEP_ALIVE_SECONDS);
  }
}

/** A request's query string with its question mark; empty when there is none. */
export function queryOf(url: string): string {
  const at = url.indexOf("?");
  return at === -1 ? "" : url.slice(at);
}
