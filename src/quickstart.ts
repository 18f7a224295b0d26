import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "#config/config.ts";
import { NANOS_PER_USD } from "#kernel/money.ts";
import { newApiKey } from "#kernel/random.ts";
import type { Vault } from "#kernel/vault.ts";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import { placeOfAccount } from "#snapshot/rows.ts";
import type { Storage } from "#storage/storage.ts";
import type { StartHooks } from "./gateway-process.ts";

const DEMO_ACCOUNT = "Demo upstream (simulator, not a real model)";
const DEMO_KEY_FILE = "quickstart.key";
const START_BALANCE_NANOS = 100n * NANOS_PER_USD;
const KEY_HINT_LENGTH = 4;

/** What quickstart does around a start of the gateway. */
export interface Quickstart {
  readonly hooks: Omit<StartHooks, "upstreamRequestsMax">;
  /** What to paste next, once the gateway serves at `url`. */
  instructions(url: string): string;
  stop(): Promise<void>;
}

interface Outcome {
  /** Shown once; undefined when the key was made by an earlier start. */
  key: string | undefined;
  isDemo: boolean;
}

/**
 * Prepares a first start. With a provider key and an empty database it makes a group, an account, a user
 * with 100 USD and an API key; without one the account leads to a simulator that this process runs.
 */
export async function prepareQuickstart(
  config: Config,
  providerKey: string | undefined,
): Promise<Quickstart> {
  const simulator = providerKey === undefined || providerKey === "" ? await startSimulator() : undefined;
  const outcome: Outcome = { key: undefined, isDemo: simulator !== undefined };
  const seed = { config, providerKey, simulator, outcome };
  return {
    hooks: {
      trustedOrigins: simulator === undefined ? [] : [new URL(simulator.url).origin],
      beforeServing: ({ storage, vault }) => prepareData(seed, storage, vault),
    },
    instructions: (url) => instructions(url, outcome, config),
    stop: async () => await simulator?.stop(),
  };
}

interface Seed {
  readonly config: Config;
  readonly providerKey: string | undefined;
  readonly simulator: Simulator | undefined;
  readonly outcome: Outcome;
}

async function prepareData(seed: Seed, storage: Storage, vault: Vault): Promise<void> {
  const { accounts, users, groups } = await storage.snapshot.loadAll();
  if (accounts.length + users.length + groups.length === 0) return await fillEmpty(seed, storage, vault);
  const demo = accounts.find(({ name }) => name === DEMO_ACCOUNT);
  if (seed.simulator === undefined || demo === undefined) {
    seed.outcome.isDemo = false;
    return;
  }
  // The simulator listens on another port after every start.
  await storage.accounts.update(demo.id, { baseUrl: seed.simulator.url });
}

async function fillEmpty(seed: Seed, storage: Storage, vault: Vault): Promise<void> {
  const { simulator, outcome, config } = seed;
  const group = rowOf(await storage.groups.create({ name: "default", platform: "anthropic" }));
  const id = await storage.accounts.nextId();
  const credentials = JSON.stringify({ api_key: simulator === undefined ? seed.providerKey : "demo" });
  rowOf(
    await storage.accounts.create({
      id,
      name: simulator === undefined ? "Anthropic" : DEMO_ACCOUNT,
      platform: "anthropic",
      type: "api_key",
      credentialsSealed: vault.seal(credentials, placeOfAccount(id)),
      baseUrl: simulator?.url ?? null,
      groupIds: [group.id],
    }),
  );
  const user = rowOf(await storage.users.create({ name: "quickstart", balanceNanos: START_BALANCE_NANOS }));
  const key = newApiKey();
  rowOf(
    await storage.apiKeys.create({
      userId: user.id,
      groupId: group.id,
      name: "quickstart",
      keyHash: vault.hashApiKey(key),
      keyHint: key.slice(-KEY_HINT_LENGTH),
    }),
  );
  outcome.key = key;
  // A key that can only reach the simulator may be kept for the next demonstration; a real one is not.
  if (simulator !== undefined) writeFileSync(join(config.dataDir, DEMO_KEY_FILE), key, { mode: 0o600 });
}

function rowOf<Row>(written: { ok: true; row: Row } | { ok: false; conflict: { kind: string } }): Row {
  if (written.ok) return written.row;
  throw new Error(`quickstart could not fill the database: ${written.conflict.kind}`);
}

function instructions(url: string, { key, isDemo }: Outcome, { dataDir }: Config): string {
  const keyFile = join(dataDir, DEMO_KEY_FILE);
  const kept = isDemo && existsSync(keyFile) ? readFileSync(keyFile, "utf8").trim() : undefined;
  const shown = key ?? kept;
  if (shown === undefined) {
    return `\nThis database was set up before; use a key you have, or make one (see ${url}/docs).\n\n`;
  }
  const upstream = isDemo
    ? "No provider key is set, so answers come from a built-in simulator, not from a model.\nSet ANTHROPIC_API_KEY and use an empty DATA_DIR for real answers."
    : "Answers come from Anthropic, paid with your ANTHROPIC_API_KEY.";
  const title = key === undefined ? "API key of the demonstration" : "API key, shown this once";
  return `
${upstream}

${title}:
  ${shown}

Try it:
  curl -N ${url}/v1/messages \\
    -H 'x-api-key: ${shown}' -H 'anthropic-version: 2023-06-01' -H 'content-type: application/json' \\
    -d '{"model":"claude-sonnet-4-6","max_tokens":256,"stream":true,"messages":[{"role":"user","content":"Hello"}]}'

`;
}
