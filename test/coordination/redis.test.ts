/** The promises of the ports, kept by Redis. */
import { describeClaims } from "./claims.contract.ts";
import { describeHolds } from "./holds.contract.ts";
import { RedisStage } from "./redis-stage.ts";
import { describeSessions } from "./sessions.contract.ts";
import { describeSlots } from "./slots.contract.ts";
import { describeVitals } from "./vitals.contract.ts";

const stage = new RedisStage();

describeSlots("Redis", async () => (await stage.member()).slots);

describeSessions("Redis", async () => {
  const own = new RedisStage();
  const { sessions } = await own.member();
  return { sessions, advance: (ms) => own.advance(ms) };
});

describeVitals("Redis", async () => (await new RedisStage().member()).vitals);

describeClaims("Redis", () => new RedisStage().member());

describeHolds("Redis", async (clock) => {
  const { holds } = await stage.member(clock);
  const advance = async (ms: number): Promise<void> => {
    await stage.advance(ms);
    clock.advance(ms);
  };
  return { holds, advance };
});
