import { chmodSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "#kernel/random.ts";

/** A secret and whether this start made it. */
export interface StoredSecret {
  readonly value: string;
  readonly isNew: boolean;
}

/** Makes the data folder if it is missing, readable by its owner only (0700). */
export function prepareDataDir(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  chmodSync(dataDir, 0o700);
}

/** A stored secret is 32 bytes in hex or base64; anything shorter was not written by us, or not to its end. */
const SECRET_LENGTH_MIN = 44;

/**
 * Reads a secret from a file of the data folder, or makes 32 random bytes and keeps them there (0600). The
 * file appears whole or not at all, so two processes that start at once end with the same secret.
 *
 * @throws Error when the file holds something too short to be a secret.
 */
export function loadOrCreateSecret(dataDir: string, name: string, encoding: "hex" | "base64"): StoredSecret {
  const path = join(dataDir, name);
  const fresh = Buffer.from(randomBytes(32)).toString(encoding);
  const isNew = createWhole(path, `${fresh}\n`);
  const value = readFileSync(path, "utf8").trim();
  if (value.length < SECRET_LENGTH_MIN) {
    throw new Error(`${path} holds no secret; delete it to have one made, or restore it`);
  }
  return { value, isNew };
}

/** False when the file is there already. */
function createWhole(path: string, text: string): boolean {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST") return false;
    throw thrown;
  } finally {
    unlinkSync(draft);
  }
}
