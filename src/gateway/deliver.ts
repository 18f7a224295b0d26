import type { SelectedAccount } from "#accounts/select-account.ts";
import type { AccountId } from "#domain/ids.ts";
import { Fault } from "#kernel/fault.ts";
import type { RequestScope } from "#kernel/request-scope.ts";
import type { Admitted, AttemptLog, Delivered, Funded, ParsedCall } from "./call-stages.ts";
import type { GatewayServices } from "./services.ts";
import { forward } from "./stages/forward.ts";

/**
 * The one attempt loop: chooses an account and forwards to it, moving on to another while the fault says
 * that another could do better and no byte has gone to the client.
 *
 * @throws Fault the last upstream fault when every account has failed; else what `select` or `forward` threw.
 */
export async function deliver(
  call: ParsedCall & Admitted & Funded,
  attempts: AttemptLog,
  scope: RequestScope,
  services: GatewayServices,
): Promise<Delivered> {
  const failed = new Set<AccountId>();
  let lastFault: Fault | undefined;
  for (let switches = 0; switches <= services.limits.switchesMax; switches++) {
    const selected = await select(call, failed, scope, services).catch((thrown: unknown) => {
      throw lastFault ?? thrown;
    });
    attempts.count++;
    attempts.lastAccount = selected.account;
    try {
      const reply = await forward(call, selected, scope, services);
      return { account: selected.account, attempts: attempts.count, reply };
    } catch (thrown) {
      lastFault = Fault.from(thrown);
      if (lastFault.retry !== "other-account") throw lastFault;
      services.metrics.fault(lastFault.code);
      failed.add(selected.account.id);
    }
  }
  throw lastFault ?? new Fault("select.no_account");
}

async function select(
  call: ParsedCall,
  exclude: ReadonlySet<AccountId>,
  { signal }: RequestScope,
  { accounts }: GatewayServices,
): Promise<SelectedAccount> {
  const { principal, model, wait } = call;
  const selected = await accounts.select({
    group: principal.group,
    model,
    exclude,
    signal,
    onWait: () => wait.begin(),
  });
  wait.end();
  return selected;
}
