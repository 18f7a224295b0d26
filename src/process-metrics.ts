import { AggregatorRegistry, Gauge, Registry } from "prom-client";

/** What the main thread knows of the process. */
interface ProcessFigures {
  readonly threadRestarts: number;
  readonly httpThreads: number;
  /** Usage that is recorded and not booked yet: records, bytes in the journal, age of the oldest in milliseconds. */
  readonly records: number;
  readonly bytes: number;
  readonly oldestMs: number;
  /** Undefined: this node is alone. */
  readonly redis: RedisFigures | undefined;
}

/** How the threads stand with Redis: how many cannot ask it, how often that began, and how many nodes there are. */
interface RedisFigures {
  readonly down: number;
  readonly losses: number;
  readonly nodes: number;
}

/** Adds up the threads' metrics and the process's own, in Prometheus' text form. */
export async function metricsText(threads: readonly unknown[], figures: ProcessFigures): Promise<string> {
  const registry = new Registry();
  gauge(
    registry,
    "sluice_process_resident_memory_bytes",
    "Resident memory of the process.",
    process.memoryUsage.rss(),
  );
  gauge(registry, "sluice_http_threads", "Threads that accept requests now.", figures.httpThreads);
  gauge(
    registry,
    "sluice_thread_restarts",
    "Threads that have died and were replaced.",
    figures.threadRestarts,
  );
  gauge(registry, "sluice_journal_records", "Usage records that are not booked yet.", figures.records);
  gauge(registry, "sluice_journal_bytes", "Size of the usage journal.", figures.bytes);
  gauge(
    registry,
    "sluice_journal_oldest_seconds",
    "Age of the oldest usage record that is not booked yet.",
    figures.oldestMs / 1_000,
  );
  if (figures.redis !== undefined) redisGauges(registry, figures.redis);
  const own = await registry.metrics();
  const summed = AggregatorRegistry.aggregate([...threads] as object[][]);
  return `${await summed.metrics()}\n${own}`;
}

function redisGauges(registry: Registry, { down, losses, nodes }: RedisFigures): void {
  gauge(registry, "sluice_redis_threads_down", "Threads that cannot ask Redis now.", down);
  gauge(registry, "sluice_redis_losses", "How often threads have lost Redis.", losses);
  gauge(registry, "sluice_cluster_nodes", "Nodes that share Redis, as last known.", nodes);
}

function gauge(registry: Registry, name: string, help: string, value: number): void {
  new Gauge({ name, help, registers: [registry] }).set(value);
}
