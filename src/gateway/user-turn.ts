import { pacingDelayMs } from "#accounts/pacing.ts";
import type { SelectedAccount } from "#accounts/select-account.ts";
import type { SlotAnswer } from "#coordination/slots.ts";
import { Fault } from "#kernel/fault.ts";
import { type Lease, leaseOf } from "#kernel/lease.ts";
import { pause } from "#kernel/pause.ts";
import type { ParsedCall } from "./call-stages.ts";
import type { GatewayServices } from "./services.ts";

/** Messages that may wait for their turn at one account. */
const TURN_WAITERS_MAX = 1_000;
const MS_PER_SECOND = 1_000;

/** No turn was needed, or it was only a pause. */
const NOTHING_HELD: Lease = leaseOf(() => undefined);

type Rooms = Pick<GatewayServices, "coordination" | "settings" | "clock">;

/**
 * The turn of a message of a person to go to an account, at once or when it comes, where the account takes such messages one at a time
 * (`serialize`) or with a pause between them (`throttle`). Results of tools pass freely.
 *
 * The turn's lease is released when the upstream has taken the request in, or has refused it; the next message
 * then follows after the account's pause. A turn that does not come in time is done without: pacing is no reason
 * to refuse a request.
 *
 * @throws Fault `admit.client_gone`.
 */
export function takeTurn(
  call: ParsedCall,
  { account, vitals }: SelectedAccount,
  signal: AbortSignal,
  rooms: Rooms,
): Lease | Promise<Lease> {
  const settings = rooms.settings();
  const mode = account.userMessageQueue ?? settings.user_message_queue;
  if (mode === "off" || call.operation !== "messages" || !call.messages.isUserTurn) return NOTHING_HELD;
  const requests = vitals.requestsInMinute(rooms.clock.now());
  const delayMs = pacingDelayMs(requests, account.rpm?.base, settings);
  if (mode === "throttle") return pauseFirst(call, delayMs, signal);
  const answer = rooms.coordination.slots.acquire({
    holder: { kind: "turn", id: account.id },
    limit: 1,
    waitersMax: TURN_WAITERS_MAX,
    waitMsMax: settings.user_message_wait_seconds * MS_PER_SECOND,
    signal,
  });
  return answer instanceof Promise
    ? answer.then((later) => turnOf(later, call, delayMs))
    : turnOf(answer, call, delayMs);
}

async function pauseFirst({ trace }: ParsedCall, delayMs: number, signal: AbortSignal): Promise<Lease> {
  if (!(await pause(delayMs, signal))) throw new Fault("admit.client_gone");
  trace.add({ step: "turn", waitedMs: delayMs });
  return NOTHING_HELD;
}

function turnOf(answer: SlotAnswer, { trace }: ParsedCall, delayMs: number): Lease {
  if (!answer.granted) {
    if (answer.refusal === "gone") throw new Fault("admit.client_gone");
    return NOTHING_HELD;
  }
  trace.add({ step: "turn", waitedMs: answer.waitedMs });
  return leaseOf(() => setTimeout(() => answer.lease.release(), delayMs));
}
