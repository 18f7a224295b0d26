import type { Attempt } from "#simulator/attempt.ts";
import { eventually, type Tenant, usageOf } from "#support/gateway.ts";
import { openStage, type Stage } from "../e2e/stage.ts";
import { askAsCaller, type CallerView } from "./caller.ts";
import type { Form, PlannedScenario, Report, Scenario, Verdict, Views } from "./scenario.ts";

/** Time limits of the gateway under test, so that no fault takes long. */
export const LIMITS = {
  FIRST_TOKEN_TIMEOUT_SECONDS: "1",
  RESPONSE_TIMEOUT_SECONDS: "1",
  STREAM_IDLE_SECONDS: "1",
  PING_INTERVAL_SECONDS: "1",
  DRAIN_SECONDS: "1",
};
/** How long everything may take to come to rest after a scenario, in milliseconds. */
const REST_MS = 5_000;

/** A gateway process, a simulator that plays faults, and a look at both sides. */
export class Wall {
  readonly stage: Stage;
  /** How often each key has asked. */
  readonly #asks = new Map<string, number>();

  constructor(stage: Stage) {
    this.stage = stage;
  }

  static async open(): Promise<Wall> {
    const stage = await openStage(LIMITS);
    await stage.set({ same_account_delay_ms: 20, circuit_open_seconds: 1, circuit_open_seconds_max: 2 });
    return new Wall(stage);
  }

  close(): Promise<void> {
    return this.stage.close();
  }

  /** Plays a scenario in every form it has, and sees to it that nothing is left behind. Never throws. */
  async play(scenario: Scenario): Promise<readonly Report[]> {
    if (!("run" in scenario)) {
      return await Promise.all(scenario.forms.map((form) => this.#playPlanned(scenario, form)));
    }
    const problem = await scenario.run(this).catch(reasonOf);
    const good = scenario.best === "answer" ? "pass" : "safe";
    const verdict = problem === undefined ? good : "fail";
    return [{ id: scenario.id, form: "staged", verdict, why: problem ?? "", failoverMs: undefined }];
  }

  ask(tenant: Tenant, form: Form, body: Record<string, unknown> = {}): Promise<CallerView> {
    this.count(tenant, 1);
    return askAsCaller({ url: this.stage.gateway.url, key: tenant.key, form, body });
  }

  /** So many requests were sent with the tenant's key, by whatever way. */
  count({ key }: Tenant, asks: number): void {
    this.#asks.set(key, (this.#asks.get(key) ?? 0) + asks);
  }

  attemptsOf({ upstreamKeys }: Tenant): readonly (readonly Attempt[])[] {
    return upstreamKeys.map((key) => this.stage.attemptsOf(key));
  }

  /** Undefined when the tenant is served and nothing of it is left in flight, waiting or unbooked; else what is not. */
  async restProblem(tenant: Tenant): Promise<string | undefined> {
    const { gateway, simulator } = this.stage;
    type Busy = { in_flight: number; waiting: number };
    const paths = [
      `/users/${tenant.userId}/status`,
      ...tenant.accountIds.map((id) => `/accounts/${id}/status`),
    ];
    const busy = async (): Promise<number> => {
      const all = await Promise.all(paths.map((path) => gateway.admin<Busy>("GET", path)));
      return all.reduce((sum, { in_flight, waiting }) => sum + in_flight + waiting, 0);
    };
    const left = await eventually(busy, (count) => count === 0, REST_MS).catch(() => "something");
    if (left !== 0) return `${left} of the tenant's slots is still taken`;
    for (const apiKey of tenant.upstreamKeys) simulator.plan({}, { apiKey, repeat: true });
    for (const id of tenant.accountIds) await gateway.admin("POST", `/accounts/${id}/recover`);
    const probe = await this.ask(tenant, "whole");
    if (!probe.isWhole) return `the request after it was answered ${probe.status}`;
    return await this.#booksProblem(tenant);
  }

  /** Whatever became of a request, it is on record, once. */
  async #booksProblem({ key, userId }: Tenant): Promise<string | undefined> {
    const asks = this.#asks.get(key);
    const rows = await eventually(
      () => usageOf(this.stage.gateway, userId),
      (found) => found.length === asks,
      REST_MS,
    ).catch(() => undefined);
    return rows === undefined ? `there is not one row for each of ${asks} requests` : undefined;
  }

  async #playPlanned(scenario: PlannedScenario, form: Form): Promise<Report> {
    try {
      const views = await this.#viewsOf(scenario, form);
      const failoverMs = failoverMsOf(views);
      const [verdict, why] = await this.#judge(scenario, views);
      return { id: scenario.id, form, verdict, why, failoverMs };
    } catch (thrown) {
      return { id: scenario.id, form, verdict: "fail", why: reasonOf(thrown), failoverMs: undefined };
    }
  }

  async #viewsOf({ accounts, body }: PlannedScenario, form: Form): Promise<Views> {
    const { stage } = this;
    const tenant = await stage.tenant(accounts.map((_, index) => ({ priority: index + 1 })));
    for (const [index, plans] of accounts.entries()) {
      const apiKey = tenant.upstreamKeys[index];
      for (const plan of plans) stage.simulator.plan(plan, { apiKey, repeat: plans.length === 1 });
    }
    const caller = await this.ask(tenant, form, body);
    return { caller, tenant, attempts: this.attemptsOf(tenant) };
  }

  async #judge(scenario: PlannedScenario, views: Views): Promise<readonly [Verdict, string]> {
    const problem =
      callerProblem(scenario, views) ??
      hammeringProblem(scenario, views) ??
      (await scenario.finds?.(views, this)) ??
      (await this.restProblem(views.tenant));
    if (problem !== undefined) return ["fail", problem];
    return [scenario.best === "error-end" ? "safe" : "pass", ""];
  }
}

function callerProblem({ best }: PlannedScenario, { caller, attempts }: Views): string | undefined {
  const { hangs, isWhole, isExplicitError, status } = caller;
  if (hangs) return "the caller was left hanging";
  if (!isWhole && !isExplicitError) return `a truncated answer looked whole (status ${status})`;
  if (best === "answer") return isWhole ? undefined : `answered ${status} where an answer could be had`;
  // A fault that overtakes the first content can still be cured by another account.
  return isExplicitError || attempts[1]?.length === 1 ? undefined : "an answer was made up";
}

function hammeringProblem({ attemptsMax }: PlannedScenario, { attempts }: Views): string | undefined {
  const counts = attempts.map(({ length }) => length);
  return counts.some((count, index) => count > (attemptsMax[index] ?? 0))
    ? `attempts ${counts.join(", ")}; at most ${attemptsMax.join(", ")}`
    : undefined;
}

/** From the end of the last attempt on the first account to the arrival of the first on the second. */
function failoverMsOf({ attempts: [first, second] }: Views): number | undefined {
  const endedAtMs = first?.at(-1)?.endedAtMs;
  const next = second?.[0]?.receivedAtMs;
  return endedAtMs === undefined || next === undefined ? undefined : Math.max(0, next - endedAtMs);
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
