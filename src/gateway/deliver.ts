import type { Choice } from "#accounts/choice.ts";
import type { Verdict } from "#accounts/outcome.ts";
import type { Pin, SelectedAccount } from "#accounts/select-account.ts";
import type { Group } from "#domain/group.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Awaitable } from "#kernel/awaitable.ts";
import { Fault } from "#kernel/fault.ts";
import type { Lease } from "#kernel/lease.ts";
import { pause } from "#kernel/pause.ts";
import type { RequestScope } from "#kernel/request-scope.ts";
import { providerFor } from "#providers/registry.ts";
import { failedAttempt } from "./attempt-records.ts";
import type { Admitted, AttemptLog, Delivered, Funded, ParsedCall, Reply } from "./call-stages.ts";
import { Failover, type FailoverRequest } from "./failover.ts";
import { giveProbeBack, Judgement } from "./judgement.ts";
import { localAnswer, localKindFor } from "./local-answer.ts";
import type { GatewayServices } from "./services.ts";
import { checkBilling } from "./stages/check-billing.ts";
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
export function deliver(
  call: DeliverableCall,
  attempts: AttemptLog,
  scope: RequestScope,
  services: GatewayServices,
): Promise<Delivered> {
  return new Delivery(call, attempts, scope, services).run();
}

const NOBODY: ReadonlySet<AccountId> = new Set();

/** A turn that has come, for the account it is a turn at. */
interface HeldTurn {
  readonly account: AccountId;
  readonly lease: Lease;
}

class Delivery {
  readonly #call: DeliverableCall;
  readonly #attempts: AttemptLog;
  readonly #scope: RequestScope;
  readonly #services: GatewayServices;
  readonly #judgement: Judgement;
  /** Undefined: nothing has failed yet. */
  #begunFailover: Failover | undefined;
  #hasMoved = false;
  #choice: Choice | undefined;
  #lastFault: Fault | undefined;
  #pin: Pin | undefined;
  #turn: HeldTurn | undefined;

  constructor(call: DeliverableCall, attempts: AttemptLog, scope: RequestScope, services: GatewayServices) {
    this.#call = call;
    this.#attempts = attempts;
    this.#scope = scope;
    this.#services = services;
    this.#judgement = new Judgement(call, services);
  }

  get #failover(): Failover {
    this.#begunFailover ??= new Failover(
      this.#services.settings(),
      requestIn(this.#call, this.#call.servingGroup),
    );
    return this.#begunFailover;
  }

  async run(): Promise<Delivered> {
    try {
      for (;;) {
        const delivered = await this.#round();
        if (delivered !== undefined) return delivered;
      }
    } finally {
      this.#judgement.close();
      this.#turn?.lease.release();
      this.#choice?.forget();
    }
  }

  /** One account chosen and asked; undefined: something else is to be tried. */
  async #round(): Promise<Delivered | undefined> {
    const choosing = this.#select();
    const selected = choosing instanceof Promise ? await choosing : choosing;
    if (selected === undefined) return undefined;
    const kind = localKindFor(selected.account, this.#call);
    if (kind !== undefined) {
      giveBack(selected);
      this.#call.trace.add({ step: "local", kind });
      return { reply: localAnswer(kind, this.#call), isLocal: true };
    }
    const awaited = this.#turnFor(selected);
    const turn = awaited instanceof Promise ? await awaited : awaited;
    const reply = turn && (await this.#attempt(selected, turn));
    return reply && { reply, isLocal: false };
  }

  /** The account to ask next; undefined: none may be asked now, and something else is to be tried. */
  #select(): Awaitable<SelectedAccount | undefined> {
    const { servingGroup, model, sessionKey, operation } = this.#call;
    const { accounts, groups } = this.#services;
    try {
      const asked = accounts.select({
        group: groups.group(servingGroup.id) ?? servingGroup,
        model,
        sessionKey,
        isMessage: operation === "messages",
        exclude: this.#begunFailover?.failed ?? NOBODY,
        pin: this.#pin,
        signal: this.#scope.signal,
        onChoice: this.#onChoice,
      });
      return asked instanceof Promise ? this.#selectedLater(asked) : asked;
    } catch (thrown) {
      return this.#afterRefusal(thrown);
    }
  }

  readonly #onChoice = (choice: Choice): void => {
    this.#choice?.forget();
    this.#choice = choice;
    this.#call.trace.add({ step: "choice", choice });
  };

  async #selectedLater(asked: Promise<SelectedAccount>): Promise<SelectedAccount | undefined> {
    const { clock, identity } = this.#services;
    const startedAt = clock.monotonic();
    try {
      const selected = await asked;
      const waitedMs = clock.monotonic() - startedAt;
      if (selected.hasWaited) this.#call.trace.add({ step: "queue", waitedMs });
      return this.#stillAllowed(selected, identity);
    } catch (thrown) {
      return await this.#afterRefusal(thrown);
    }
  }

  /** A key that was taken back while its request stood in line is not served. */
  #stillAllowed(selected: SelectedAccount, identity: GatewayServices["identity"]): SelectedAccount {
    try {
      identity.renew(this.#call.principal);
      return selected;
    } catch (thrown) {
      giveBack(selected);
      throw thrown;
    }
  }

  /** No account may be asked: tries all of them again where that is worth it, else tells what really stood in the way. */
  async #afterRefusal(thrown: unknown): Promise<undefined> {
    const last = this.#lastFault;
    const refusal = Fault.from(thrown);
    const isOwn = refusal.code.startsWith("select.") || refusal.code.startsWith("admit.");
    if (last === undefined || !isOwn || refusal.code === "admit.client_gone") throw refusal;
    const pin = this.#pin;
    this.#pin = undefined;
    if (pin?.isChecked === false) {
      this.#failover.failed.add(pin.account);
      return;
    }
    const delayMs = this.#failover.anotherRoundMs(last);
    if (delayMs === undefined) throw this.#exhausted(last);
    await this.#pause(delayMs, "round");
  }

  /**
   * The message's turn at the account. One that has to be waited for is waited for without the account's slot,
   * and what was known of the account is then old: undefined, choose again.
   */
  #turnFor(selected: SelectedAccount): Awaitable<Lease | undefined> {
    const held = this.#turn;
    this.#turn = undefined;
    if (held?.account === selected.account.id) return held.lease;
    held?.lease.release();
    const asked = takeTurn(this.#call, selected, this.#scope.signal, this.#services);
    return asked instanceof Promise ? this.#awaitTurn(selected, asked) : asked;
  }

  async #awaitTurn(selected: SelectedAccount, asked: Promise<Lease>): Promise<undefined> {
    giveBack(selected);
    this.#turn = { account: selected.account.id, lease: await asked };
    this.#pin = { account: selected.account.id, isChecked: true };
    return undefined;
  }

  /** Asks one account; undefined: it failed, and something else is to be tried. */
  async #attempt(selected: SelectedAccount, turn: Lease): Promise<Reply | undefined> {
    const { account } = selected;
    this.#attempts.count++;
    this.#attempts.lastAccount = account;
    this.#attempts.lastStartedAtMs = this.#services.clock.now();
    this.#pin = undefined;
    this.#call.trace.add({ step: "attempt", account: account.id });
    const startedAt = this.#services.clock.monotonic();
    let verdict: Verdict | undefined;
    const onFault = (fault: Fault): void => {
      verdict = this.#judgement.failed(selected, fault);
    };
    try {
      const attempt = { account, lease: selected.lease, onAccepted: () => turn.release(), onFault };
      const reply = await forward(this.#call, attempt, this.#scope, this.#services);
      this.#call.trace.add({ step: "answer", status: reply.status });
      this.#judgement.answered(selected, reply, startedAt, this.#scope.signal);
      return reply;
    } catch (thrown) {
      const fault = Fault.from(thrown);
      verdict ??= this.#judgement.failed(selected, fault);
      selected.lease.release();
      turn.release();
      await this.#failed(selected, fault, verdict);
      return undefined;
    }
  }

  async #failed({ account, isOnly }: SelectedAccount, fault: Fault, verdict: Verdict): Promise<void> {
    const { metrics } = this.#services;
    this.#call.trace.addFault(fault, account.id);
    this.#lastFault = fault;
    this.#attempts.failed.push(failedAttempt(this.#attempts, account.id, fault, this.#services.clock.now()));
    const next = this.#failover.after(fault, {
      id: account.id,
      isOnly,
      asksAgain: verdict.retrySame,
      isBlamed: verdict.action !== undefined,
    });
    if (next.kind !== "repeat" && (await this.#movesToFallbackGroup(fault))) return;
    if (next.kind === "give-up") throw fault.relayed !== undefined ? fault : this.#exhausted(fault);
    metrics.fault(fault.code);
    if (next.kind === "switch") return;
    this.#pin = { account: account.id, isChecked: false };
    await this.#pause(next.delayMs, "same-account");
  }

  /**
   * A prompt that is too long for a group's accounts goes, once, to the group that is named for such requests,
   * and is then that group's to bill.
   */
  async #movesToFallbackGroup(fault: Fault): Promise<boolean> {
    const { servingGroup, principal, client } = this.#call;
    const id = servingGroup.fallbackGroupIdOnInvalidRequest;
    if (id === undefined || this.#hasMoved || !isTooLong(fault)) return false;
    const group = this.#services.groups.group(id);
    const provider = group && providerFor(group.platform);
    if (group === undefined || provider === undefined || group.status !== "active") return false;
    if (group.claudeCodeOnly && client === undefined) return false;
    this.#hasMoved = true;
    const rateMultiplierNanos = this.#services.groups.rateMultiplierNanos(principal.userId, group);
    this.#call.hold?.settle(0);
    Object.assign(this.#call, {
      servingGroup: group,
      provider,
      principal: { ...principal, group, rateMultiplierNanos },
    });
    await checkBilling(this.#call, this.#services);
    this.#begunFailover = this.#failover.inGroup(this.#services.settings(), requestIn(this.#call, group));
    this.#call.trace.add({ step: "retry", how: `fallback-group:${group.id}`, delayMs: 0 });
    return true;
  }

  async #pause(delayMs: number, how: string): Promise<void> {
    this.#call.trace.add({ step: "retry", how, delayMs });
    if (!(await pause(delayMs, this.#scope.signal))) throw new Fault("admit.client_gone");
  }

  /** The last fault, with the soonest time at which any of the accounts can be asked again. */
  #exhausted(last: Fault): Fault {
    const soonestMs = this.#choice && this.#services.accounts.soonestRetryMs(this.#choice, this.#call.model);
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

function requestIn({ stream }: DeliverableCall, { platform }: Group): FailoverRequest {
  return { stream, platform };
}

/** The account was chosen but is not asked now: gives back its slot and the right to probe it. */
function giveBack(selected: SelectedAccount): void {
  selected.lease.release();
  giveProbeBack(selected);
}
