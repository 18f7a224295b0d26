/** The promises of the ports, kept by Redis. */
import { RedisStage } from "./redis-stage.ts";
import { describeSessions } from "./sessions.contract.ts";
import { describeSlots } from "./slots.contract.ts";

const stage = new RedisStage();

describeSlots("Redis", async () => (await stage.member()).slots);

describeSessions("Redis", async () => {
  const own = new RedisStage();
  const { sessions } = await own.member();
  return { sessions, advance: (ms) => own.advance(ms) };
});
