import { afterAll, beforeAll, expect, test } from "bun:test";
import { playFault, publishedPage, rowOf } from "../section.ts";
import { CLIENT_FAULTS, playClientFault } from "./client-faults.ts";
import { type ClientStage, openClientStage } from "./client-stage.ts";

let stage: ClientStage;

beforeAll(async () => {
  stage = await openClientStage();
}, 60_000);

afterAll(async () => {
  await stage.close();
});

for (const fault of CLIENT_FAULTS) {
  test(`a client that misbehaves harms nobody else and leaves nothing behind: ${fault.name}`, async () => {
    const played = await playFault(fault, () => playClientFault(fault, stage));
    expect(played.why).toBe("");
    expect(await publishedPage()).toContain(rowOf(played));
  }, 90_000);
}
