import { readAddressSet } from "#config/cidr.ts";
import type { ApiKey } from "#domain/api-key.ts";
import type { Principal } from "#domain/principal.ts";
import type { Clock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import type { Vault } from "#kernel/vault.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";

interface AuthenticatorParts {
  readonly snapshot: Snapshot;
  readonly vault: Vault;
  readonly clock: Clock;
}

/** Turns a presented API key into a principal. Works from memory alone. */
export class Authenticator {
  readonly #parts: AuthenticatorParts;

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
  }

  /**
   * Finds who presents a key.
   *
   * @throws Fault `auth.*` with the first reason why the key may not be used.
   */
  authenticate(presented: string, clientAddress: string | undefined): Principal {
    const key = this.#find(presented);
    this.#checkKey(key);
    if (!isAddressAllowed(key, clientAddress)) throw new Fault("auth.address_denied");
    return this.#principalOf(key);
  }

  /**
   * Finds whose a key is, expired or not, for answers about the key itself. It pays for nothing.
   *
   * @throws Fault `auth.*` with the first other reason why the key may not be used.
   */
  identify(presented: string, clientAddress: string | undefined): Principal {
    const key = this.#find(presented);
    checkStatus(key);
    if (!isAddressAllowed(key, clientAddress)) throw new Fault("auth.address_denied");
    return this.#principalOf(key);
  }

  /**
   * Who the caller is now: a principal that was found some time ago, read again.
   *
   * @throws Fault `auth.*` when the key, its user or its group may not be used any more.
   */
  renew({ apiKeyId }: Principal): Principal {
    const key = this.#parts.snapshot.apiKey(apiKeyId);
    if (key === undefined) throw new Fault("auth.key_invalid");
    this.#checkKey(key);
    return this.#principalOf(key);
  }

  #checkKey(key: ApiKey): void {
    checkStatus(key);
    const { expiresAtMs } = key;
    if (expiresAtMs !== undefined && expiresAtMs <= this.#parts.clock.now()) {
      throw new Fault("auth.key_expired");
    }
  }

  #principalOf({ id, userId, groupId, hasTraceHeader }: ApiKey): Principal {
    const { snapshot } = this.#parts;
    const user = snapshot.user(userId);
    if (user === undefined || user.status !== "active") throw new Fault("auth.user_disabled");
    const group = snapshot.group(groupId);
    if (group === undefined || group.status !== "active") throw new Fault("auth.group_disabled");
    return {
      userId: user.id,
      apiKeyId: id,
      group,
      rateMultiplierNanos: snapshot.rateMultiplierNanos(userId, group),
      concurrency: user.concurrency,
      hasTraceHeader,
    };
  }

  #find(presented: string): ApiKey {
    const { snapshot, vault } = this.#parts;
    // What is looked up is a keyed hash: how long that takes says nothing about any key to whoever presents one.
    const key = snapshot.apiKeyByHash(vault.hashApiKey(presented));
    if (key === undefined) throw new Fault("auth.key_invalid");
    return key;
  }
}

function checkStatus({ status }: ApiKey): void {
  if (status !== "active") throw new Fault("auth.key_disabled");
}

/** The deny list first, then the allow list if there is one; an unknown address passes neither kind of list. */
function isAddressAllowed({ ipAllow, ipDeny }: ApiKey, address: string | undefined): boolean {
  if (ipAllow.length === 0 && ipDeny.length === 0) return true;
  if (address === undefined || readAddressSet(ipDeny).has(address)) return false;
  return ipAllow.length === 0 || readAddressSet(ipAllow).has(address);
}
