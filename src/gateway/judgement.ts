import type { Verdict } from "#accounts/outcome.ts";
import type { SelectedAccount } from "#accounts/select-account.ts";
import type { Fault } from "#kernel/fault.ts";
import type { ParsedCall, Reply } from "./call-stages.ts";
import type { GatewayServices } from "./services.ts";

/** Nothing is made of the attempt. */
const NO_VERDICT: Verdict = { action: undefined, countsAsFailure: false, retrySame: false };

/** A refusal that may be the request's own doing. */
interface Doubt {
  readonly selected: SelectedAccount;
  readonly fault: Fault;
}

/**
 * What the attempts of one request say about their accounts.
 *
 * One request must not be able to take a whole group out of use. A refusal of access may be due to something that
 * the client asked for, so it counts against an account once another one has served the same request, or when it
 * is the only such refusal; and of accounts that fail one after the other, the first counts. Counting tokens has
 * limits of its own at the upstream and says nothing about messages.
 */
export class Judgement {
  readonly #call: ParsedCall;
  readonly #services: Pick<GatewayServices, "health" | "clock">;
  readonly #doubts: Doubt[] = [];
  #hasCounted = false;

  constructor(call: ParsedCall, services: Pick<GatewayServices, "health" | "clock">) {
    this.#call = call;
    this.#services = services;
  }

  /** An attempt has failed; its account's slot is still held. */
  failed(selected: SelectedAccount, fault: Fault): Verdict {
    const verdict = this.#verdictOn(selected, fault);
    if (verdict.countsAsFailure) this.#hasCounted = true;
    else giveProbeBack(selected);
    return verdict;
  }

  /** An answer has come, whole or begun. `startedAt` is when it was asked for, in monotonic milliseconds. */
  answered(selected: SelectedAccount, reply: Reply, startedAt: number, signal: AbortSignal): void {
    const { operation, requestId, model } = this.#call;
    const { health } = this.#services;
    const { account } = selected;
    if (operation !== "messages") {
      giveProbeBack(selected);
      return;
    }
    if (this.#doubts.length > 0) {
      for (const { selected: doubted, fault } of this.#doubts.splice(0)) this.#apply(doubted, fault);
    }
    const firstTokenAt = reply.kind === "stream" ? reply.firstTokenAt : undefined;
    // A client that left before the first content has kept the account from showing what it can do.
    if (reply.kind === "stream" && firstTokenAt === undefined && signal.aborted) giveProbeBack(selected);
    else health.succeeded(account, firstTokenAt === undefined ? 0 : firstTokenAt - startedAt);
    if (reply.kind === "whole") return;
    void reply.ended.then(({ status }) => {
      if (status === "upstream_stalled") health.stalled(account, { requestId, model });
      else if (status === "upstream_broke") health.broke(account, { requestId, model });
    });
  }

  /** No account has served the request: a single refusal of access counts after all. */
  close(): void {
    const [only, ...more] = this.#doubts.splice(0);
    if (only !== undefined && more.length === 0) this.#apply(only.selected, only.fault);
  }

  #verdictOn(selected: SelectedAccount, fault: Fault): Verdict {
    if (this.#call.operation !== "messages") return NO_VERDICT;
    const isDoubtful = fault.code === "upstream.forbidden" && !selected.account.isPool;
    if (!isDoubtful || selected.isOnly) return this.#apply(selected, fault);
    this.#doubts.push({ selected, fault });
    return NO_VERDICT;
  }

  #apply({ account, isOnly, isProbe }: SelectedAccount, fault: Fault): Verdict {
    const { requestId, model, body } = this.#call;
    return this.#services.health.failed(account, fault, {
      requestId,
      model,
      body,
      isOnlyAccount: isOnly,
      isProbe,
      isFirstFailure: !this.#hasCounted,
    });
  }
}

/** Lets another request find out whether the account has recovered. */
export function giveProbeBack({ isProbe, vitals }: SelectedAccount): void {
  if (isProbe) vitals.abstained();
}
