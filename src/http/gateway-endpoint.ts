import type { Server } from "bun";
import type { AddressSet } from "#config/cidr.ts";
import { relay } from "#gateway/pipeline.ts";
import type { GatewayServices } from "#gateway/services.ts";
import type { Cohorts } from "#kernel/cohorts.ts";
import { recordOf } from "#kernel/headers.ts";
import { newRequestId } from "#kernel/random.ts";
import type { Operation } from "#providers/provider.ts";
import { clientAddress } from "./client-address.ts";
import { type BodyLimits, readBody } from "./inbound.ts";

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
  { services, bodyLimits, arrivals, trustedProxies, isDraining }: GatewayEndpointOptions,
): Promise<Response> {
  // Bun would cut an answer that is silent for the idle time; every wait on this path has a limit of its own.
  server?.timeout(request, 0);
  const headers = recordOf(request.headers);
  let isGivenUp = false;
  const response = await relay(
    {
      requestId: newRequestId(),
      dialect: "anthropic",
      operation,
      headers,
      query: queryOf(request.url),
      signal: request.signal,
      clientAddress: clientAddress(server?.requestIP(request)?.address, headers, trustedProxies),
      arrivedAtMs: services.clock.now(),
      startedAt: services.clock.monotonic(),
      readBody: async () => {
        const body = await readBody(request, bodyLimits, services.stallWatch, () => {
          isGivenUp = true;
        });
        await arrivals.join();
        return body;
      },
      // The lifted limit stays with the connection after the answer and would keep it open for ever.
      onEnd: () => server?.timeout(request, KEEP_ALIVE_SECONDS),
    },
    services,
  );
  // A client whose upload was given up could go on with it for as long as it likes.
  if (isDraining() || isGivenUp) response.headers.set("connection", "close");
  return response;
}

/** A request's query string with its question mark; empty when there is none. */
export function queryOf(url: string): string {
  const at = url.indexOf("?");
  return at === -1 ? "" : url.slice(at);
}
