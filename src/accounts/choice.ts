import type { AccountId } from "#domain/ids.ts";
import type { Candidate } from "./candidate.ts";
import { FINDINGS, type Finding } from "./findings.ts";

/** How an account came to be chosen. */
export type ChosenBy = "binding" | "load" | "waiting" | "pin";

/** The record of one choice: who could have served the request, and why each of the others could not. */
export class Choice {
  readonly candidates: readonly Candidate[];
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
    readonly findings: Uint8Array;
    readonly atMs: number;
    readonly boundTo: AccountId | undefined;
  }) {
    this.candidates = parts.candidates;
    this.findings = parts.findings;
    this.atMs = parts.atMs;
    this.boundTo = parts.boundTo;
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
      candidates: this.candidates.map(({ account }, index) => ({
        account_id: account.id,
        finding: account.id === this.chosen ? "chosen" : (FINDINGS[this.findings[index] ?? 0] ?? "eligible"),
      })),
    };
  }
}
