import type { Choice } from "#accounts/choice.ts";
import type { Verdict } from "#accounts/outcome.ts";
import type { SelectedAccount } from "#accounts/select-account.ts";
import type { AccountId } from "#domain/ids.ts";
import { Fault } from "#kernel/fault.ts";
import type { Lease } from "#kernel/lease.ts";
import { pause } from "#kernel/pause.ts";
import type { RequestScope } from "#kernel/request-scope.ts";
import { providerFor } from "#providers/registry.ts";
import type { Admitted, AttemptLog, Delivered, Funded, ParsedCall, Reply } from "./call-stages.ts";
import { Failover } from "./failover.ts";
import { localAnswer, localKindFor } from "./local-answer.ts";
import type { GatewayServices } from "./services.ts";
import { priceFor } from "./stages/check-billing.ts";
import type { Checked } from "./stages/check-client.ts";
import { forward } from "./stages/forward.ts";
import { takeTurn } from "./user-turn.ts";

/** A call that may be delivered. */
export type DeliverableCall = ParsedCall & Checked & Admitted & Funded;

/**
 * The one attempt loop, for every platform: chooses an account and forwards to it, and goes on, to another or
 * to the same one, for as long as the fault says that this could help and no byte has gone to the client.
 *
 * @throws Fault the last upstream fault when nothing has helped, with the soonest time at which it may; else
 * what choosing threw.
 */
export async function deliver(
  call: DeliverableCall,
  attempts: AttemptLog,
  scope: RequestScope,
  services: GatewayServices,
): Promise<Delivered> {
  return await new Delivery(call, attempts, scope, services).run();
}

class Delivery {
  readonly #call: DeliverableCall;
  readonly #attempts: AttemptLog;
  readonly #scope: RequestScope;
  readonly #services: GatewayServices;
  #failover: Failover;
  #hasMoved = false;
  #choice: Choice | undefined;
  #lastFault: Fault | undefined;
  #pin: AccountId | undefined;

  constructor(call: DeliverableCall, attempts: AttemptLog, scope: RequestScope, services: GatewayServices) {
    this.#call = call;
    this.#attempts = attempts;
    this.#scope = scope;
    this.#services = services;
    this.#failover = new Failover(services.settings(), call.servingGroup.platform);
  }

  async run(): Promise<Delivered> {
    for (;;) {
      const selected = await this.#select();
      if (selected === undefined) continue;
      const kind = localKindFor(selected.account, this.#call);
      if (kind !== undefined) {
        giveBack(selected);
        this.#call.trace.add({ step: "local", kind });
        return { reply: localAnswer(kind, this.#call), isLocal: true };
      }
      const reply = await this.#attempt(selected);
      if (reply !== undefined) return { reply, isLocal: false };
    }
  }

  /** The account to ask next; undefined: every account had failed, and all of them may be asked once more. */
  async #select(): Promise<SelectedAccount | undefined> {
    const { trace, servingGroup, model, sessionKey, operation } = this.#call;
    try {
      return await this.#services.accounts.select({
        group: this.#services.groups.group(servingGroup.id) ?? servingGroup,
        model,
        sessionKey,
        isMessage: operation === "messages",
        exclude: this.#failover.failed,
        pin: this.#pin,
        signal: this.#scope.signal,
        onChoice: (choice) => {
          this.#choice = choice;
          trace.add({ step: "choice", choice });
        },
      });
    } catch (thrown) {
      await this.#afterRefusal(thrown);
      return undefined;
    }
  }

  /** No account may be asked: tries all of them again where that is worth it, else tells what really stood in the way. */
  async #afterRefusal(thrown: unknown): Promise<void> {
    const last = this.#lastFault;
    const refusal = Fault.from(thrown);
    if (last === undefined || refusal.code === "admit.client_gone") throw refusal;
    if (this.#pin !== undefined) {
      this.#failover.failed.add(this.#pin);
      this.#pin = undefined;
      return;
    }
    const delayMs = this.#failover.anotherRoundMs(last);
    if (delayMs === undefined) throw this.#exhausted(last);
    await this.#pause(delayMs, "round");
  }

  /** Asks one account; undefined: it failed, and something else is to be tried. */
  async #attempt(selected: SelectedAccount): Promise<Reply | undefined> {
    const { account } = selected;
    this.#attempts.count++;
    this.#attempts.lastAccount = account;
    this.#pin = undefined;
    this.#call.trace.add({ step: "attempt", account: account.id });
    const startedAt = this.#services.clock.monotonic();
    let turn: Lease | undefined;
    let verdict: Verdict | undefined;
    const onFault = (fault: Fault): void => {
      verdict = this.#judge(selected, fault);
    };
    try {
      turn = await takeTurn(this.#call, selected, this.#scope.signal, this.#services);
      const onAccepted = (): void => turn?.release();
      const attempt = { ...selected, onAccepted, onFault };
      const reply = await forward(this.#call, attempt, this.#scope, this.#services);
      turn.release();
      this.#succeeded(selected, reply, startedAt);
      return reply;
    } catch (thrown) {
      const fault = Fault.from(thrown);
      selected.lease.release();
      turn?.release();
      await this.#failed(selected, fault, verdict ?? this.#judge(selected, fault));
      return undefined;
    }
  }

  #succeeded({ account, vitals }: SelectedAccount, reply: Reply, startedAt: number): void {
    const { health } = this.#services;
    const { requestId, model, trace } = this.#call;
    trace.add({ step: "answer", status: reply.status });
    if (reply.kind === "whole") {
      health.succeeded(account, 0);
      return;
    }
    const { firstTokenAt } = reply;
    // A client that left before the first content has kept the account from showing what it can do.
    if (firstTokenAt === undefined && this.#scope.signal.aborted) vitals.abstained();
    else health.succeeded(account, firstTokenAt === undefined ? 0 : firstTokenAt - startedAt);
    void reply.ended.then(({ status }) => {
      if (status === "upstream_stalled") health.stalled(account, { requestId, model });
      else if (status === "upstream_broke") health.broke(account, { requestId, model });
    });
  }

  /** What a fault means for the account. */
  #judge({ account, isOnly, vitals }: SelectedAccount, fault: Fault): Verdict {
    const { requestId, model } = this.#call;
    const verdict = this.#services.health.failed(account, fault, { requestId, model, isOnlyAccount: isOnly });
    if (!verdict.countsAsFailure) vitals.abstained();
    return verdict;
  }

  async #failed({ account, isOnly }: SelectedAccount, fault: Fault, verdict: Verdict): Promise<void> {
    const { metrics } = this.#services;
    this.#call.trace.addFault(fault, account.id);
    this.#lastFault = fault;
    if (this.#movesToFallbackGroup(fault)) return;
    const next = this.#failover.after(fault, {
      id: account.id,
      isOnly,
      asksAgain: verdict.retrySame,
      isBlamed: verdict.action !== undefined,
    });
    if (next.kind === "give-up") throw fault.relayed !== undefined ? fault : this.#exhausted(fault);
    metrics.fault(fault.code);
    if (next.kind === "switch") return;
    this.#pin = account.id;
    await this.#pause(next.delayMs, "same-account");
  }

  /**
   * A prompt that is too long for a group's accounts goes, once, to the group that is named for such requests,
   * and is then that group's to bill.
   */
  #movesToFallbackGroup(fault: Fault): boolean {
    const { servingGroup, principal } = this.#call;
    const id = servingGroup.fallbackGroupIdOnInvalidRequest;
    if (id === undefined || this.#hasMoved || !isTooLong(fault)) return false;
    const group = this.#services.groups.group(id);
    const provider = group && providerFor(group.platform);
    if (group === undefined || provider === undefined || group.status !== "active") return false;
    this.#hasMoved = true;
    const price = priceFor(this.#call, group, this.#services);
    Object.assign(this.#call, { servingGroup: group, provider, price, principal: { ...principal, group } });
    this.#services.eligibility.check(this.#call.principal);
    this.#failover = new Failover(this.#services.settings(), group.platform);
    this.#call.trace.add({ step: "retry", how: `fallback-group:${group.id}`, delayMs: 0 });
    return true;
  }

  async #pause(delayMs: number, how: string): Promise<void> {
    this.#call.trace.add({ step: "retry", how, delayMs });
    if (!(await pause(delayMs, this.#scope.signal))) throw new Fault("admit.client_gone");
  }

  /** The last fault, with the soonest time at which any of the accounts can be asked again. */
  #exhausted(last: Fault): Fault {
    const soonestMs = this.#choice && this.#services.accounts.soonestRetryMs(this.#choice);
    return soonestMs === undefined || soonestMs === last.retryAfterMs ? last : last.withRetryAfter(soonestMs);
  }
}

/** Words in which upstreams refuse a prompt for its length. */
const TOO_LONG = ["prompt is too long", "request is too long", "context length exceeded"];

function isTooLong({ relayed }: Fault): boolean {
  if (relayed?.status !== 400) return false;
  const text = new TextDecoder().decode(relayed.body).toLowerCase();
  return TOO_LONG.some((words) => text.includes(words));
}

/** The account was chosen but says nothing about itself yet: gives back its slot and the right to probe it. */
function giveBack({ lease, vitals }: SelectedAccount): void {
  lease.release();
  vitals.abstained();
}
