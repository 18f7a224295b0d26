// A process of its own that appends records to the journal in the folder it is given, and says the id of each
// once it is appended, until it is killed. It books a random part of them on the way, and says that before.
import { writeSync } from "node:fs";
import { systemClock } from "#kernel/clock.ts";
import { ThreadJournal } from "#storage/journal/thread-journal.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const [dir = "", life = "0"] = process.argv.slice(2);
const shuffle = new Shuffle(Number(life));
const quiet = () => undefined;
const journal = new ThreadJournal({
  dir,
  thread: 0,
  adopts: () => false,
  bytesMax: 1_048_576,
  isSynced: Number(life) % 2 === 0,
  clock: systemClock,
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
});
const padding = "x".repeat(600);
const say = (line: string): void => {
  const bytes = Buffer.from(`${line}\n`);
  for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written);
};
for (let record = 0; ; record++) {
  const id = `${life}-${record}`;
  journal.append(`{"request_id":"${id}","padding":"${padding}"}`);
  say(`+${id}`);
  if (shuffle.below(50) > 0) continue;
  const read = journal.next(1 + shuffle.below(100));
  for (const line of read?.lines ?? []) say(`-${(JSON.parse(line) as { request_id: string }).request_id}`);
  journal.release(read?.end ?? 0);
}
