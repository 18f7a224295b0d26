import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { UsageRecord } from "#domain/usage-record.ts";

/** Upper bounds of the duration buckets, in seconds: from cache hits to long streams. */
const DURATION_BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

const MS_PER_SECOND = 1_000;

/** Adds to the counter of one or two labels. */
type Count = (count: number, first: string, second?: number) => void;

/** What the request path counts. One registry per thread; the main thread adds them up. */
export class GatewayMetrics {
  readonly registry = new Registry();
  /** Requests that are being worked on in this thread. */
  inFlight = 0;
  readonly #requests = this.#counter(
    "sluice_requests_total",
    "Client requests by operation and HTTP status.",
    ["operation", "status"],
  );
  readonly #faults = this.#counter(
    "sluice_faults_total",
    "Faults by code, attempts moved on from included.",
    ["code"],
  );
  readonly #tokens = this.#counter("sluice_tokens_total", "Tokens as reported by upstreams, by kind.", [
    "kind",
  ]);
  readonly #duration = this.#histogram(
    "sluice_request_duration_seconds",
    "Time from a request's arrival to the last byte of its answer.",
  );
  readonly #firstToken = this.#histogram(
    "sluice_first_token_seconds",
    "Time from a streamed request's arrival to its first piece of content.",
  );

  constructor() {
    const current = (): number => this.inFlight;
    new Gauge({
      name: "sluice_requests_in_flight",
      help: "Client requests that are being worked on.",
      registers: [this.registry],
      collect() {
        this.set(current());
      },
    });
  }

  requestStarted(): void {
    this.inFlight++;
  }

  /** @param durationMs from arrival to the last byte. */
  requestEnded(operation: string, status: number, durationMs: number): void {
    this.inFlight--;
    this.#requests(1, operation, status);
    this.#duration.observe(durationMs / MS_PER_SECOND);
  }

  fault(code: string): void {
    this.#faults(1, code);
  }

  /** Counts what a booked request used. */
  usage(record: UsageRecord): void {
    this.#tokens(record.inputTokens, "input");
    this.#tokens(record.outputTokens, "output");
    this.#tokens(record.cacheCreationTokens, "cache_creation");
    this.#tokens(record.cacheReadTokens, "cache_read");
    if (record.firstTokenMs !== undefined) this.#firstToken.observe(record.firstTokenMs / MS_PER_SECOND);
  }

  /** A counter that is kept in plain numbers and told to the registry when somebody looks. */
  #counter(name: string, help: string, labelNames: string[]): Count {
    const untold = new Map<string, Map<number | undefined, number>>();
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        for (const [first, counts] of untold) {
          for (const [second, count] of counts) {
            this.labels(...(second === undefined ? [first] : [first, String(second)])).inc(count);
          }
        }
        untold.clear();
      },
    });
    return (count, first, second) => {
      if (count === 0) return;
      const counts = untold.get(first);
      if (counts === undefined) untold.set(first, new Map([[second, count]]));
      else counts.set(second, (counts.get(second) ?? 0) + count);
    };
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: DURATION_BUCKETS, registers: [this.registry] });
  }
}
