import type { Crew } from "#threads/crew.ts";
import type { HttpThreadApi, LedgerBacklog, RedisView } from "#threads/messages.ts";
import { backlogOfAll } from "./ledger-backlog.ts";
import { metricsText } from "./process-metrics.ts";

/** Limit of asking threads, in milliseconds. */
const ASK_MS_MAX = 2_000;

/** What the report is about. */
export interface NodeReportParts {
  readonly http: Pick<Crew<HttpThreadApi>, "links">;
  readonly upstreamRequestsMax: number;
  readonly isDraining: () => boolean;
  readonly hasLedger: () => boolean;
  readonly threadRestarts: () => number;
}

/** What a node says of itself: whether it can serve, what it does without, and what is counted. */
export class NodeReport {
  readonly #parts: NodeReportParts;

  constructor(parts: NodeReportParts) {
    this.#parts = parts;
  }

  async metricsText(): Promise<string> {
    const threads = await this.#answers((link) => link.ask("metrics", ASK_MS_MAX));
    const backlog = await this.backlog();
    const redis = await this.#redis();
    return await metricsText(threads, {
      threadRestarts: this.#parts.threadRestarts(),
      httpThreads: threads.length,
      ...backlog,
      redis: redis.length === 0 ? undefined : summaryOf(redis),
    });
  }

  /** Empty when the node can serve. */
  async problems(): Promise<readonly string[]> {
    const { upstreamRequestsMax, isDraining, hasLedger, http } = this.#parts;
    const { canAccept } = await this.backlog();
    const slots = (await http.links[0]?.ask("accountSlots", ASK_MS_MAX)) ?? 0;
    return [
      ...(isDraining() ? ["the gateway is shutting down"] : []),
      ...(slots > upstreamRequestsMax
        ? [
            `the accounts' limits add up to ${slots} requests at once, but Bun allows ${upstreamRequestsMax}: set BUN_CONFIG_MAX_HTTP_REQUESTS`,
          ]
        : []),
      ...(canAccept ? [] : ["the usage journal is full or cannot be written: new requests are refused"]),
      ...(hasLedger() ? [] : ["the ledger thread is being replaced"]),
    ];
  }

  /** What the node does without at the moment. It serves all the same. */
  async limitations(): Promise<readonly string[]> {
    const down = (await this.#redis()).filter(({ isUp }) => !isUp);
    const [first] = down;
    if (first === undefined) return [];
    return [
      `${down.length} of the threads cannot ask Redis (${first.reason}): limits are this node's share, one of ${first.nodes}`,
    ];
  }

  async #redis(): Promise<readonly RedisView[]> {
    const views = await this.#answers((link) => link.ask("redis", ASK_MS_MAX));
    return views.filter((view) => view !== undefined);
  }

  /** What is recorded but not booked, over all threads; threads that do not answer are left out. */
  async backlog(): Promise<LedgerBacklog> {
    return backlogOfAll(await this.#answers((link) => link.ask("backlog", ASK_MS_MAX)));
  }

  async #answers<T>(ask: (link: Crew<HttpThreadApi>["links"][number]) => Promise<T>): Promise<readonly T[]> {
    const answers = await Promise.allSettled(this.#parts.http.links.map(ask));
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }
}

function summaryOf(views: readonly RedisView[]) {
  return {
    down: views.filter(({ isUp }) => !isUp).length,
    losses: views.reduce((sum, { losses }) => sum + losses, 0),
    nodes: Math.max(...views.map(({ nodes }) => nodes)),
  };
}
