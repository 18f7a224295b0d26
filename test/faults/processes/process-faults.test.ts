import { expect, test } from "bun:test";
import { playFault, publishedPage, rowOf } from "../section.ts";
import { PROCESS_FAULTS, playProcessFault } from "./process-faults.ts";

for (const fault of PROCESS_FAULTS) {
  test(`what a process owes survives: ${fault.name}`, async () => {
    const played = await playFault(fault, () => playProcessFault(fault));
    expect(played.why).toBe("");
    expect(await publishedPage()).toContain(rowOf(played));
  }, 60_000);
}
