import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from "node:crypto";
import { randomBytes } from "./random.ts";

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = "v1";

/**
 * Seals and opens texts that are stored, and hashes API keys. Built from one 32-byte master key, from
 * which a separate key is derived for each purpose.
 */
export class Vault {
  readonly #sealingKey: Uint8Array;
  readonly #hashingKey: Uint8Array;
  /** Which master key sealed a text: the first bytes of a hash of it. Kept in the envelope's header. */
  readonly keyId: string;

  /** @param masterKey 32 bytes in base64. */
  constructor(masterKey: string) {
    const master = Buffer.from(masterKey, "base64");
    const derive = (purpose: string): Uint8Array =>
      new Uint8Array(hkdfSync("sha256", master, "", `sluice ${purpose} v1`, 32));
    this.#sealingKey = derive("credential envelope");
    this.#hashingKey = derive("api key hash");
    this.keyId = createHmac("sha256", derive("key id")).update(VERSION).digest("hex").slice(0, 8);
  }

  /**
   * Encrypts a text (AES-256-GCM) as `v1.<key id>.<nonce>.<ciphertext and tag>`. `place` is the table and row
   * it belongs to; a sealed text that is moved to another row does not open there.
   */
  seal(text: string, place: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#sealingKey, nonce);
    cipher.setAAD(Buffer.from(this.#header(place)));
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return [VERSION, this.keyId, Buffer.from(nonce).toString("base64url"), sealed.toString("base64url")].join(
      ".",
    );
  }

  /**
   * Opens what {@link seal} made for the same place.
   *
   * @throws Error when the text was sealed with another key, for another place, or was changed.
   */
  open(sealedText: string, place: string): string {
    const [version, keyId, nonce, sealed] = sealedText.split(".");
    if (version !== VERSION || nonce === undefined || sealed === undefined) {
      throw new Error(`the sealed text of ${place} has an unknown form`);
    }
    if (keyId !== this.keyId) {
      throw new Error(
        `${place} was sealed with another encryption key (id ${keyId}); this one is ${this.keyId}`,
      );
    }
    const bytes = Buffer.from(sealed, "base64url");
    const decipher = createDecipheriv(CIPHER, this.#sealingKey, Buffer.from(nonce, "base64url"));
    decipher.setAAD(Buffer.from(this.#header(place)));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return decipher.update(bytes.subarray(0, -TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
  }

  /** A keyed hash (HMAC-SHA-256, hex) of a presented API key: what is stored and looked up instead of it. */
  hashApiKey(presented: string): string {
    return new Bun.CryptoHasher("sha256", this.#hashingKey).update(presented).digest("hex");
  }

  #header(place: string): string {
    return `${VERSION}.${this.keyId}.${place}`;
  }
}
