import type { SlotAnswer } from "#coordination/slots.ts";
import { userWaitersMax } from "#domain/principal.ts";
import type { Admitted, ParsedCall } from "#gateway/call-stages.ts";
import type { GatewayServices } from "#gateway/services.ts";
import { foreseenHolds } from "#gateway/stages/check-billing.ts";
import type { Checked } from "#gateway/stages/check-client.ts";
import { Fault } from "#kernel/fault.ts";
import type { RequestScope } from "#kernel/request-scope.ts";

/** What a client is told to wait when all its slots are busy, in milliseconds. */
const RETRY_AFTER_MS = 1_000;

/**
 * Takes one of the user's slots, waiting in line when they are all busy.
 *
 * Runs before billing because a wait can be long and a balance can run out during it. The slot is the
 * request's until the last byte of the reply, so it is given to the scope and never released here. Who may
 * call, and how often at once, is read again before the slot is asked for and after a wait: a slow upload
 * or a long line must not outlive a change.
 *
 * @throws Fault `admit.queue_full`, `admit.wait_timeout`, `admit.client_gone`, `auth.*`; `billing.journal_full`
 * when what the request uses could not be kept on record.
 */
export async function admit<C extends ParsedCall & Checked>(
  call: C,
  scope: RequestScope,
  services: GatewayServices,
): Promise<C & Admitted> {
  const { coordination, identity, ledger, limits } = services;
  ledger.checkRoom();
  const principal = identity.renew(call.principal);
  const { userId, concurrency } = principal;
  const asked = coordination.slots.acquire({
    holder: { kind: "user", id: userId },
    limit: concurrency,
    waitersMax: userWaitersMax(concurrency),
    waitMsMax: limits.userWaitMs,
    signal: scope.signal,
    conversation: { groupId: call.servingGroup.id, sessionKey: call.sessionKey },
    money: () => foreseenHolds(call, services),
  });
  const answer = asked instanceof Promise ? await asked : asked;
  if (!answer.granted) throw refusal(answer, concurrency);
  scope.hold(answer.lease);
  const { waitedMs } = answer;
  if (waitedMs > 0) call.trace.add({ step: "queue", waitedMs });
  return Object.assign(call, {
    slotWaitMs: waitedMs,
    advance: answer.money,
    principal: waitedMs > 0 ? identity.renew(principal) : principal,
  });
}

function refusal({ refusal, waiting }: SlotAnswer & { granted: false }, concurrency: number): Fault {
  if (refusal === "gone") return new Fault("admit.client_gone");
  const limit = `This user's limit of ${concurrency} concurrent requests is reached and ${waiting} are waiting`;
  return refusal === "timeout"
    ? new Fault("admit.wait_timeout", {
        publicMessage: `${limit}; no slot came free in time, please retry later`,
        retryAfterMs: RETRY_AFTER_MS,
      })
    : new Fault("admit.queue_full", {
        publicMessage: `${limit}; the queue is full, please retry later`,
        retryAfterMs: RETRY_AFTER_MS,
      });
}
