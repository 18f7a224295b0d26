/** A request ready to leave the house. */
export interface UpstreamRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/**
 * Sends one request and returns when the upstream's headers are there. The only way out of the house;
 * `upstream/` fulfils it. The answer's body is not decoded, redirects are not followed.
 *
 * @throws Fault `upstream.forbidden_address`, `upstream.connect_failed`, `upstream.reset`; or the signal's
 * own reason when it aborts.
 */
export type Send = (request: UpstreamRequest, signal: AbortSignal) => Promise<Response>;
