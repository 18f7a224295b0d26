import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { UsageRecord } from "#domain/usage-record.ts";

/** Upper bounds of the duration buckets, in seconds: from cache hits to long streams. */
const DURATION_BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** What the request path counts. One registry per thread; the main thread adds them up. */
export class GatewayMetrics {
  readonly registry = new Registry();
  readonly #requests = new Counter({
    name: "sluice_requests_total",
    help: "Client requests by operation and HTTP status.",
    labelNames: ["operation", "status"] as const,
    registers: [this.registry],
  });
  readonly #faults = new Counter({
    name: "sluice_faults_total",
    help: "Faults by code, attempts that were moved on from included.",
    labelNames: ["code"] as const,
    registers: [this.registry],
  });
  readonly #tokens = new Counter({
    name: "sluice_tokens_total",
    help: "Tokens as reported by upstreams, by kind.",
    labelNames: ["kind"] as const,
    registers: [this.registry],
  });
  readonly #duration = new Histogram({
    name: "sluice_request_duration_seconds",
    help: "Time from a request's arrival to the last byte of its answer.",
    buckets: DURATION_BUCKETS,
    registers: [this.registry],
  });
  readonly #firstToken = new Histogram({
    name: "sluice_first_token_seconds",
    help: "Time from a streamed request's arrival to its first piece of content.",
    buckets: DURATION_BUCKETS,
    registers: [this.registry],
  });
  readonly #inFlight = new Gauge({
    name: "sluice_requests_in_flight",
    help: "Client requests that are being worked on.",
    registers: [this.registry],
  });

  /** Requests that are being worked on in this thread. */
  inFlight = 0;

  requestStarted(): void {
    this.inFlight++;
    this.#inFlight.set(this.inFlight);
  }

  /** @param seconds from arrival to the last byte. */
  requestEnded(operation: string, status: number, seconds: number): void {
    this.inFlight--;
    this.#inFlight.set(this.inFlight);
    this.#requests.inc({ operation, status });
    this.#duration.observe(seconds);
  }

  fault(code: string): void {
    this.#faults.inc({ code });
  }

  /** Counts what a booked request used. */
  usage(record: UsageRecord): void {
    this.#countTokens("input", record.inputTokens);
    this.#countTokens("output", record.outputTokens);
    this.#countTokens("cache_creation", record.cacheCreationTokens);
    this.#countTokens("cache_read", record.cacheReadTokens);
    if (record.firstTokenMs !== undefined) this.#firstToken.observe(record.firstTokenMs / 1_000);
  }

  #countTokens(kind: string, count: number): void {
    if (count > 0) this.#tokens.inc({ kind }, count);
  }
}
