import type { AccountId } from "#domain/ids.ts";
import type { Candidate } from "./candidate.ts";
import { FINDINGS, type Finding } from "./findings.ts";

/** How an account came to be chosen. */
export type ChosenBy = "binding" | "load" | "waiting" | "pin";

/** The record of one choice: who could have served the request, and why each of the others could not. */
export class Choice {
  /** Empty once the choice is {@link forget}ten. */
  candidates: readonly Candidate[];
  readonly #ids: readonly AccountId[];
  /** One finding per candidate. */
  readonly findings: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** The account that the conversation was bound to when the choice began. */
  readonly boundTo: AccountId | undefined;
  /** Why the conversation left that account for good; undefined while it stays bound. */
  left: "gone" | "cannot_serve" | "resting" | "slow_or_failing" | undefined;
  chosenBy: ChosenBy | undefined;
  chosen: AccountId | undefined;

  constructor(parts: {
    readonly candidates: readonly Candidate[];
    /** Of the candidates, in their order; shared by all choices from one pool. */
    readonly ids: readonly AccountId[];
    readonly findings: Uint8Array;
    readonly atMs: number;
    readonly boundTo: AccountId | undefined;
  }) {
    this.candidates = parts.candidates;
    this.#ids = parts.ids;
    this.findings = parts.findings;
    this.atMs = parts.atMs;
    this.boundTo = parts.boundTo;
  }

  /** How many candidates there were. */
  get size(): number {
    return this.#ids.length;
  }

  /** Lets go of everything but the record, which may be kept for long. */
  forget(): void {
    this.candidates = [];
  }

  /** The record in words, for people. */
  describe(): {
    readonly chosen: AccountId | undefined;
    readonly by: ChosenBy | undefined;
    readonly bound_to: AccountId | undefined;
    readonly left_binding: string | undefined;
    readonly candidates: readonly { readonly account_id: AccountId; readonly finding: Finding }[];
  } {
    return {
      chosen: this.chosen,
      by: this.chosenBy,
      bound_to: this.boundTo,
      left_binding: this.left,
      candidates: this.#ids.map((id, index) => ({
        account_id: id,
        finding: id === this.chosen ? "chosen" : (FINDINGS[this.findings[index] ?? 0] ?? "eligible"),
      })),
    };
  }
}
