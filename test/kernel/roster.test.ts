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

test("what has left a roster is given up by a collection of the young", () => {
  const roster = new Roster<Member>();
  let collected = 0;
  const registry = new FinalizationRegistry(() => collected++);
  const staying = Array.from({ length: 8 }, () => new Member());
  for (const member of staying) roster.add(member);
  fullGC();
  const passThrough = (count: number): void => {
    for (let index = 0; index < count; index++) {
      const member = new Member();
      registry.register(member, index);
      roster.add(member);
      roster.remove(member);
    }
  };
  passThrough(1_000);
  edenGC();
  passThrough(1_000);
  edenGC();
  return Bun.sleep(50).then(() => {
    expect(collected).toBeGreaterThan(1_800);
    expect(roster.size).toBe(staying.length);
  });
});
