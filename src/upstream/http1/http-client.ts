import type { OpenAnswer, UpstreamRequest } from "#domain/upstream-request.ts";
import { type Cancellation, untilCancelled } from "#kernel/cancellation.ts";
import type { Clock } from "#kernel/clock.ts";
import { Cohorts } from "#kernel/cohorts.ts";
import type { Target } from "#upstream/destinations.ts";
import { AbandonedOpenings } from "./abandoned-openings.ts";
import { Connection } from "./connection.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { requestHead } from "./request-head.ts";

/** How the client is set up. */
export interface HttpClientOptions {
  /** PEM certificates trusted instead of the built-in ones. */
  readonly ca: string | undefined;
  readonly clock: Clock;
}

/**
 * A client for HTTP/1.1 on connections that are kept. A request has a connection of its own for as long as its answer
 * is read; there is no limit on how many there are. Repeats nothing, follows nothing, has no time limit of its own.
 */
export class HttpClient {
  readonly #pool: ConnectionPool;
  readonly #abandoned: AbandonedOpenings;
  readonly #ca: string | undefined;
  readonly #answers = new Cohorts();

  constructor({ ca, clock }: HttpClientOptions) {
    this.#pool = new ConnectionPool(clock);
    this.#abandoned = new AbandonedOpenings(this.#pool);
    this.#ca = ca;
  }

  /**
   * Sends a request and returns its answer once the head is there, together with those that came at the same time.
   *
   * @throws Fault `gateway.internal`, at once, for a header that cannot be sent.
   * @throws WireError when the transport fails; `isUnsent` tells whether the request can have left.
   * @throws the reason when it is cancelled, before or after.
   */
  send(request: UpstreamRequest, target: Target, cancellation: Cancellation): Promise<OpenAnswer> {
    const head = requestHead(request, target);
    const kept = this.#pool.take(target.key);
    if (kept !== undefined) return kept.ask(head, request.body, cancellation);
    return this.#connect(target, cancellation).then((connection) =>
      connection.ask(head, request.body, cancellation),
    );
  }

  /** Closes unused connections, and the others once they are. */
  close(): void {
    this.#pool.close();
  }

  /**
   * A new connection. Opening one cannot be called off, so when it is cancelled it goes on for whoever comes next:
   * there are never more attempts under way than there were requests at once.
   */
  async #connect(target: Target, cancellation: Cancellation): Promise<Connection> {
    const options = { ca: this.#ca, owner: this.#pool, answers: this.#answers };
    const opening = this.#abandoned.take(target.key) ?? Connection.open(target, options);
    try {
      return await untilCancelled(opening, cancellation);
    } catch (thrown) {
      if (cancellation.isCancelled) this.#abandoned.add(target.key, opening);
      throw thrown;
    }
  }
}
