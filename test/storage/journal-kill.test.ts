import { expect, test } from "bun:test";
import { join } from "node:path";
import { JournalFolder, readAll } from "#support/journal-folder.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const ROUNDS = 20;
const WRITER = join(import.meta.dir, "journal-writer.ts");

/** What a writer has said until it was killed, at a random moment after it has begun. */
async function killedWriter(dir: string, life: number, afterMs: number): Promise<readonly string[]> {
  const child = Bun.spawn([process.execPath, WRITER, dir, String(life)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const decoder = new TextDecoder();
  let said = "";
  for await (const chunk of child.stdout) {
    if (said === "") setTimeout(() => child.kill("SIGKILL"), afterMs);
    said += decoder.decode(chunk, { stream: true });
  }
  await child.exited;
  // What follows the last line end was not said to its end.
  return said.split("\n").slice(0, -1);
}

test("a process killed at any moment loses no record that it has said to be recorded, and doubles none", async () => {
  using folder = new JournalFolder();
  const shuffle = new Shuffle(41);
  let accepted = 0;
  for (let life = 1; life <= ROUNDS; life++) {
    const said = await killedWriter(folder.dir, life, 1 + shuffle.below(60));
    const booked = new Set(said.filter((line) => line.startsWith("-")).map((line) => line.slice(1)));
    const recorded = said.filter((line) => line.startsWith("+")).map((line) => line.slice(1));
    accepted += recorded.length;
    const heir = folder.open();
    const found = readAll(heir).map((line) => (JSON.parse(line) as { request_id: string }).request_id);
    const offered = new Set(found);
    expect(found.length).toBe(offered.size);
    expect(recorded.filter((id) => !offered.has(id) && !booked.has(id))).toEqual([]);
    heir.release(heir.end);
    heir.close();
    expect(folder.files).toEqual([]);
  }
  expect(accepted).toBeGreaterThan(ROUNDS * 10);
  expect(folder.events).not.toContain("journal.damaged");
}, 60_000);
