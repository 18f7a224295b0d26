import { edenGC, fullGC } from "bun:jsc";
import { expect, test } from "bun:test";
import { NOT_ROSTERED, Roster, type Rostered } from "#kernel/roster.ts";

class Member implements Rostered {
  rosterPlace = NOT_ROSTERED;
  readonly luggage = new Uint8Array(1_024);
}

test("a roster has those who have come and not gone, in whatever order they leave", () => {
  const roster = new Roster<Member>();
  const here = new Set<Member>();
  for (let step = 0; step < 20_000; step++) {
    const member = [...here][Math.floor(Math.random() * here.size)];
    if (member !== undefined && (here.size > 50 || Math.random() < 0.5)) {
      expect(roster.remove(member)).toBe(true);
      expect(roster.remove(member)).toBe(false);
      here.delete(member);
    } else {
      const fresh = new Member();
      roster.add(fresh);
      here.add(fresh);
    }
    expect(roster.size).toBe(here.size);
  }
  expect(new Set(roster.members())).toEqual(here);
});

/** So many are here at once, as requests are. */
const PRESENT = 32;

/** A roster, or what could stand in for one. */
interface Members {
  add(member: Member): unknown;
  remove(member: Member): unknown;
}

/** How many of the members that have passed through a collection of the young gives up. */
async function givenUpOf(count: number, members: Members): Promise<number> {
  let givenUp = 0;
  const registry = new FinalizationRegistry(() => givenUp++);
  const present: Member[] = [];
  const comeAndGo = (): void => {
    const member = new Member();
    registry.register(member, undefined);
    members.add(member);
    present.push(member);
    const oldest = present.length > PRESENT ? present.shift() : undefined;
    if (oldest !== undefined) members.remove(oldest);
  };
  for (let index = 0; index < count; index++) comeAndGo();
  fullGC();
  await Bun.sleep(10);
  givenUp = 0;
  for (let index = 0; index < count; index++) comeAndGo();
  edenGC();
  await Bun.sleep(10);
  return givenUp;
}

test("what has left a roster is given up by a collection of the young, as it is not by a set", async () => {
  const set = new Set<Member>();
  const ofSet = { add: (member: Member) => set.add(member), remove: (member: Member) => set.delete(member) };
  expect(await givenUpOf(2_000, new Roster<Member>())).toBeGreaterThan(1_900);
  expect(await givenUpOf(2_000, ofSet)).toBeLessThan(1_000);
});
