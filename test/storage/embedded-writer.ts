// A process of its own with an embedded database in the folder it is given. Says the id of every user it
// has stored, until it is killed.
import { startEmbedded } from "#storage/engines/embedded.ts";
import { migrate } from "#storage/migrate.ts";
import { openStorage } from "#storage/storage.ts";
import { rowOf } from "./records.ts";

const { url } = await startEmbedded(process.argv[2] ?? "");
await migrate(url);
const storage = openStorage(url, { connectionsMax: 1 });
for (;;) {
  const { id } = rowOf(await storage.users.create({ name: "Ada" }));
  process.stdout.write(`${id}\n`);
}
