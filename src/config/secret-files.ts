import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
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

/**
 * Reads a secret from a file of the data folder, or makes 32 random bytes and keeps them there (0600).
 * The file is created exclusively, so two processes that start at once end with the same secret.
 */
export function loadOrCreateSecret(dataDir: string, name: string, encoding: "hex" | "base64"): StoredSecret {
  const path = join(dataDir, name);
  const fresh = Buffer.from(randomBytes(32)).toString(encoding);
  try {
    writeFileSync(path, `${fresh}\n`, { flag: "wx", mode: 0o600 });
    return { value: fresh, isNew: true };
  } catch (thrown) {
    if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST")) throw thrown;
    return { value: readFileSync(path, "utf8").trim(), isNew: false };
  }
}
