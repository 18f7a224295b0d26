import type { AccountVitals, VitalsBoard } from "#coordination/account-vitals.ts";
import type { Holder } from "#coordination/slots.ts";
import type { Account } from "#domain/account.ts";
import type { Group } from "#domain/group.ts";
import type { AccountId } from "#domain/ids.ts";
import { longestMatch, mappedModel } from "#domain/model-mapping.ts";
import { FOUND } from "./findings.ts";

/** How many models' fits a pool remembers; the one that was asked for longest ago is forgotten first. */
const FITS_MAX = 128;

/**
 * An account with its live figures at hand, and those of its fields that every choice looks at: an account is
 * large, and reading a thousand of them from memory costs more than comparing them.
 */
export interface Candidate {
  readonly vitals: AccountVitals;
  readonly priority: number;
  readonly loadFactor: number;
  readonly concurrency: number;
  /** It has no limits besides its slots, so that only its rest and its circuit need to be looked at. */
  readonly isPlain: boolean;
  readonly account: Account;
  /** Whose slots its requests take. */
  readonly holder: Holder;
}

/** How the accounts of a pool fit a model, as far as only a change by an operator can alter it. */
export interface Fit {
  /** One finding per candidate; see `FINDINGS`. */
  readonly findings: Uint8Array;
  /** 1 for those that the group's routing names for this model; undefined where no rule does. */
  readonly routed: Uint8Array | undefined;
  /** How many fit. */
  readonly eligible: number;
}

/**
 * The accounts of one group, prepared for choosing. Made anew when the group or one of the accounts changes.
 */
export class Pool {
  readonly group: Group;
  readonly candidates: readonly Candidate[];
  /** Of the candidates, in their order. */
  readonly ids: readonly AccountId[];
  readonly #indexById = new Map<AccountId, number>();
  readonly #fits = new Map<string, Fit>();

  constructor(group: Group, accounts: readonly Account[], board: VitalsBoard) {
    this.group = group;
    this.candidates = accounts.map((account) => ({
      vitals: board.of(account.id),
      priority: account.priority,
      loadFactor: account.loadFactor,
      concurrency: account.concurrency,
      isPlain: isPlain(account),
      account,
      holder: { kind: "account", id: account.id },
    }));
    this.ids = accounts.map(({ id }) => id);
    for (const [index, { account }] of this.candidates.entries()) this.#indexById.set(account.id, index);
  }

  /** Where an account stands among the candidates; undefined when it is none of them. */
  indexOf(id: AccountId | undefined): number | undefined {
    return id === undefined ? undefined : this.#indexById.get(id);
  }

  /** How the candidates fit a model. */
  fit(model: string): Fit {
    const known = this.#fits.get(model);
    if (known !== undefined) return known;
    const fit = this.#fitFor(model);
    const [oldest] = this.#fits.keys();
    if (oldest !== undefined && this.#fits.size >= FITS_MAX) this.#fits.delete(oldest);
    this.#fits.set(model, fit);
    return fit;
  }

  #fitFor(model: string): Fit {
    const findings = Uint8Array.from(this.candidates, ({ account }) => this.#findingFor(account, model));
    const eligible = findings.reduce((count, found) => count + (found === FOUND.eligible ? 1 : 0), 0);
    return { findings, routed: this.#routedFor(model), eligible };
  }

  #findingFor({ status, schedulable, platform, modelMapping }: Account, model: string): number {
    if (status === "disabled") return FOUND.disabled;
    if (status === "error") return FOUND.error;
    if (!schedulable) return FOUND.not_schedulable;
    if (platform !== this.group.platform) return FOUND.other_platform;
    return mappedModel(modelMapping, model) === undefined ? FOUND.model_unsupported : FOUND.eligible;
  }

  #routedFor(model: string): Uint8Array | undefined {
    const { modelRouting } = this.group;
    const ids = modelRouting && longestMatch(modelRouting, model);
    if (ids === undefined || ids.length === 0) return undefined;
    const named = new Set<AccountId>(ids);
    return Uint8Array.from(this.candidates, ({ account }) => (named.has(account.id) ? 1 : 0));
  }
}

function isPlain({ expiresAtMs, quota, windowCost, rpm, sessions }: Account): boolean {
  const limits = [expiresAtMs, quota, windowCost, rpm, sessions];
  return limits.every((limit) => limit === undefined);
}
