import { attemptJson } from "./attempt.ts";
import type { AttemptLog } from "./attempt-log.ts";
import { type Reply, textReply } from "./exchange.ts";
import { parse } from "./message-request.ts";
import type { PlanBook } from "./plan-book.ts";
import { readPlan } from "./plan-reader.ts";
import { Refusal } from "./refusal.ts";
import type { IncomingRequest } from "./request-reader.ts";
import type { SimulatorStats } from "./simulator-stats.ts";

/** Every path that steers the simulator starts with this. */
export const CONTROL_PREFIX = "/_simulator/";

/** Attempts in one answer; `since` with the last sequence gives the next ones. */
const ATTEMPTS_PER_ANSWER_MAX = 1000;

interface ControlParts {
  readonly log: AttemptLog;
  readonly plans: PlanBook;
  stats(): SimulatorStats;
  reset(): void;
}

/** Steers and observes a simulator that runs in another process. */
export class ControlApi {
  readonly #parts: ControlParts;

  constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  /**
   * Obeys one request.
   *
   * @throws Refusal when there is no such route or the request makes no sense.
   */
  obey({ head, body }: IncomingRequest): Reply {
    switch (`${head.method} ${head.path.slice(CONTROL_PREFIX.length)}`) {
      case "GET attempts":
        return textReply(200, JSON.stringify({ attempts: this.#attempts(head.query) }));
      case "GET stats":
        return textReply(200, JSON.stringify(statsJson(this.#parts.stats())));
      case "POST plan":
        this.#plan(body);
        return textReply(200, "{}");
      case "POST reset":
        this.#parts.reset();
        return textReply(200, "{}");
      default:
        throw new Refusal(404);
    }
  }

  #attempts(query: string): object[] {
    const since = Number(new URLSearchParams(query).get("since") ?? 0);
    if (!Number.isInteger(since) || since < 0) throw new Refusal(400, "since: must be a sequence number");
    return this.#parts.log.since(since, ATTEMPTS_PER_ANSWER_MAX).map(attemptJson);
  }

  #plan(body: Buffer): void {
    const { api_key: apiKey, plan, repeat = false, ...rest } = parse(body);
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw new Refusal(400, `${unknown} is not a known field`);
    if (apiKey !== undefined && typeof apiKey !== "string")
      throw new Refusal(400, "api_key must be a string");
    if (typeof repeat !== "boolean") throw new Refusal(400, "repeat must be true or false");
    const plans = Array.isArray(plan) ? plan.map(readPlan) : [readPlan(plan)];
    this.#parts.plans.add(plans, { apiKey, repeat });
  }
}

function statsJson({ inFlight, maxInFlight, total, openSockets, byKey, bill }: SimulatorStats): object {
  return {
    in_flight: inFlight,
    max_in_flight: maxInFlight,
    total,
    open_sockets: openSockets,
    by_key: Object.fromEntries(
      Object.entries(byKey).map(([key, traffic]) => [
        key,
        { in_flight: traffic.inFlight, max_in_flight: traffic.maxInFlight, total: traffic.total },
      ]),
    ),
    bill,
  };
}
