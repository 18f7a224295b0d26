import type { AccountId } from "#domain/ids.ts";
import type { Candidate } from "./candidate.ts";
import { FINDINGS, type Finding, FOUND } from "./findings.ts";

/** How an account can come to be chosen. */
export const CHOSEN_BY = ["binding", "load", "waiting", "pin"] as const;
export type ChosenBy = (typeof CHOSEN_BY)[number];

const NOBODY: readonly Candidate[] = [];

/** The record of one choice: who could have served the request, and why each of the others could not. */
export class Choice {
  /** Empty once the choice is {@link forget}ten. */
  candidates: readonly Candidate[];
  /** Of the candidates, in their order; shared by all choices from one pool. */
  readonly ids: readonly AccountId[];
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
    readonly ids: readonly AccountId[];
    readonly findings: Uint8Array;
    readonly atMs: number;
    readonly boundTo: AccountId | undefined;
  }) {
    this.candidates = parts.candidates;
    this.ids = parts.ids;
    this.findings = parts.findings;
    this.atMs = parts.atMs;
    this.boundTo = parts.boundTo;
  }

  /** Lets go of everything but the record, which may be kept for long. */
  forget(): void {
    this.candidates = NOBODY;
  }

  /** Whether every candidate was eligible, and the conversation stayed where it was bound. */
  get isPlain(): boolean {
    if (this.left !== undefined) return false;
    for (const found of this.findings) if (found !== FOUND.eligible) return false;
    return true;
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
      candidates: this.ids.map((id, index) => ({
        account_id: id,
        finding: id === this.chosen ? "chosen" : (FINDINGS[this.findings[index] ?? 0] ?? "eligible"),
      })),
    };
  }
}
