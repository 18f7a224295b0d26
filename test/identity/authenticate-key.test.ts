import { expect, test } from "bun:test";
import type { ApiKey } from "#domain/api-key.ts";
import type { Group } from "#domain/group.ts";
import type { User } from "#domain/user.ts";
import { Authenticator } from "#identity/authenticate-key.ts";
import { Fault } from "#kernel/fault.ts";
import { Vault } from "#kernel/vault.ts";

const vault = new Vault(Buffer.alloc(32, 1).toString("base64"));
const NOW = 1_000_000;

interface World {
  readonly key?: Partial<ApiKey>;
  readonly user?: Partial<User>;
  readonly group?: Partial<Group>;
}

function outcome(
  { key = {}, user = {}, group = {} }: World,
  address: string | undefined = "192.0.2.1",
  how: "authenticate" | "identify" = "authenticate",
): string {
  const apiKey = {
    id: 1,
    userId: 2,
    groupId: 3,
    hash: vault.hashApiKey("sk-right"),
    status: "active",
    expiresAtMs: undefined,
    ipAllow: [],
    ipDeny: [],
    ...key,
  } as unknown as ApiKey;
  const snapshot = {
    rateMultiplierNanos: () => 1_000_000_000n,
    apiKeyByHash: (hash: string) => (hash === apiKey.hash ? apiKey : undefined),
    user: () => ({ id: 2, status: "active", balanceNanos: 1n, concurrency: 5, ...user }) as unknown as User,
    group: () => ({ id: 3, status: "active", ...group }) as unknown as Group,
  };
  const authenticator = new Authenticator({
    snapshot: snapshot as never,
    vault,
    clock: { now: () => NOW, monotonic: () => 0 },
  });
  try {
    return `user ${authenticator[how]("sk-right", address).userId}`;
  } catch (thrown) {
    return Fault.from(thrown).code;
  }
}

test("a key in order is let in", () => {
  expect(outcome({})).toBe("user 2");
  expect(outcome({ key: { expiresAtMs: NOW + 1 } })).toBe("user 2");
});

test("what is not in order is refused with its reason", () => {
  expect(outcome({ key: { hash: "0" } })).toBe("auth.key_invalid");
  expect(outcome({ key: { status: "disabled" } })).toBe("auth.key_disabled");
  expect(outcome({ key: { expiresAtMs: NOW } })).toBe("auth.key_expired");
  expect(outcome({ user: { status: "disabled" } })).toBe("auth.user_disabled");
  expect(outcome({ group: { status: "disabled" } })).toBe("auth.group_disabled");
});

test("asking about a key is let in when it is expired, and refused for every other reason", () => {
  const asked = (world: World) => outcome(world, undefined, "identify");
  expect(asked({ key: { expiresAtMs: NOW } })).toBe("user 2");
  expect(asked({ key: { hash: "0" } })).toBe("auth.key_invalid");
  expect(asked({ key: { status: "disabled", expiresAtMs: NOW } })).toBe("auth.key_disabled");
  expect(asked({ user: { status: "disabled" } })).toBe("auth.user_disabled");
  expect(asked({ group: { status: "disabled" } })).toBe("auth.group_disabled");
  expect(asked({ key: { ipDeny: ["192.0.2.1"] } })).toBe("auth.address_denied");
});

test("the deny list goes before the allow list, and an unknown address passes neither", () => {
  expect(outcome({ key: { ipAllow: ["192.0.2.0/24"] } })).toBe("user 2");
  expect(outcome({ key: { ipAllow: ["192.0.2.0/24"], ipDeny: ["192.0.2.1"] } })).toBe("auth.address_denied");
  expect(outcome({ key: { ipAllow: ["198.51.100.0/24"] } })).toBe("auth.address_denied");
  expect(outcome({ key: { ipDeny: ["198.51.100.0/24"] } }, "nonsense")).toBe("user 2");
  expect(outcome({ key: { ipAllow: ["192.0.2.0/24"] } }, "nonsense")).toBe("auth.address_denied");
});
