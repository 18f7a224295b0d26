import type { Holder } from "#coordination/slots.ts";
import type { AdminOptions } from "./admin-options.ts";

/**
 * How busy a holder is now. The limit is the configured one while nothing has asked for a slot, because
 * the coordinator learns of a limit only then.
 */
export async function liveStatus(
  { slots }: Pick<AdminOptions, "slots">,
  holder: Holder,
  { concurrency }: { readonly concurrency: number },
) {
  const { inFlight, waiting, limit, oldestWaitMs } = await slots.status(holder);
  const isIdle = inFlight === 0 && waiting === 0;
  return {
    id: holder.id,
    in_flight: inFlight,
    waiting,
    limit: isIdle ? concurrency : limit,
    oldest_wait_ms: oldestWaitMs,
  };
}
