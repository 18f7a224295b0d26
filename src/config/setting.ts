import { type RedisTarget, readRedisUrl } from "./redis-url.ts";

/** One setting: where it comes from, what it may be, and why anyone would change it. */
export interface Setting<T> {
  readonly variable: string;
  readonly why: string;
  /** As shown in the documentation. */
  readonly fallback: string;
  /** True when the value must never be printed. */
  readonly secret: boolean;
  /** Reads the raw value; throws an `Error` whose message names the variable and what it may be. */
  readonly read: (raw: string | undefined) => T;
}

interface IntegerBounds {
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
  readonly why: string;
  /** Shown instead of the number where it depends on the machine. */
  readonly fallbackText?: string;
}

const isUnset = (raw: string | undefined): raw is undefined | "" => raw === undefined || raw.trim() === "";

/** A whole number between two bounds. Units belong in the name: `DRAIN_SECONDS`. */
export function integer(
  variable: string,
  { fallback, min, max, why, fallbackText }: IntegerBounds,
): Setting<number> {
  const read = (raw: string | undefined): number => {
    if (isUnset(raw)) return fallback;
    const value = /^\d+$/.test(raw.trim()) ? Number(raw) : Number.NaN;
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Error(`${variable} must be a whole number from ${min} to ${max}, got ${JSON.stringify(raw)}`);
  };
  return { variable, why, fallback: fallbackText ?? String(fallback), secret: false, read };
}

/** A URL of one of the given schemes, or nothing. May carry a password, so it counts as secret. */
export function optionalUrl(
  variable: string,
  schemes: readonly string[],
  why: string,
): Setting<string | undefined> {
  const read = (raw: string | undefined): string | undefined => {
    if (isUnset(raw)) return undefined;
    const url = URL.parse(raw.trim());
    if (url !== null && schemes.includes(url.protocol.slice(0, -1)) && url.hostname !== "") return url.href;
    throw new Error(
      `${variable} must be a URL that starts with ${schemes.map((s) => `${s}://`).join(" or ")}`,
    );
  };
  return { variable, why, fallback: "unset", secret: true, read };
}

/** Where Redis is, or nothing. May carry a password, so it counts as secret. */
export function optionalRedis(variable: string, why: string): Setting<RedisTarget | undefined> {
  const read = (raw: string | undefined): RedisTarget | undefined => {
    if (isUnset(raw)) return undefined;
    try {
      return readRedisUrl(raw.trim());
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      throw new Error(`${variable} ${reason}`, { cause: thrown });
    }
  };
  return { variable, why, fallback: "unset", secret: true, read };
}

/** Letters, digits and hyphens. */
export function plainName(variable: string, fallback: string, why: string): Setting<string> {
  const read = (raw: string | undefined): string => {
    const name = isUnset(raw) ? fallback : raw.trim();
    if (/^[A-Za-z\d-]{1,64}$/.test(name)) return name;
    throw new Error(`${variable} must be 1 to 64 letters, digits and hyphens, got ${JSON.stringify(raw)}`);
  };
  return { variable, why, fallback, secret: false, read };
}

/** `true` or `false`, also spelled `1`/`0`, `on`/`off`, `yes`/`no`. */
export function flag(variable: string, fallback: boolean, why: string): Setting<boolean> {
  const read = (raw: string | undefined): boolean => {
    if (isUnset(raw)) return fallback;
    const word = raw.trim().toLowerCase();
    if (["true", "1", "on", "yes"].includes(word)) return true;
    if (["false", "0", "off", "no"].includes(word)) return false;
    throw new Error(`${variable} must be true or false, got ${JSON.stringify(raw)}`);
  };
  return { variable, why, fallback: String(fallback), secret: false, read };
}

/** One of a few words. */
export function choice<const Word extends string>(
  variable: string,
  words: readonly Word[],
  { fallback, fallbackText, why }: { fallback: Word; fallbackText?: string; why: string },
): Setting<Word> {
  const read = (raw: string | undefined): Word => {
    if (isUnset(raw)) return fallback;
    const word = words.find((candidate) => candidate === raw.trim().toLowerCase());
    if (word !== undefined) return word;
    throw new Error(`${variable} must be one of ${words.join(", ")}, got ${JSON.stringify(raw)}`);
  };
  return { variable, why, fallback: fallbackText ?? fallback, secret: false, read };
}

/** A non-empty text without control characters or white space, such as a host or a path. */
export function word(variable: string, fallback: string, why: string): Setting<string> {
  const read = (raw: string | undefined): string => {
    if (isUnset(raw)) return fallback;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
    if (/[\u0000-\u001f\u007f]/.test(raw)) throw new Error(`${variable} must not hold control characters`);
    return raw.trim();
  };
  return { variable, why, fallback, secret: false, read };
}

/** A secret text of a least length, or nothing. */
export function optionalSecret(
  variable: string,
  lengthMin: number,
  why: string,
): Setting<string | undefined> {
  const read = (raw: string | undefined): string | undefined => {
    if (isUnset(raw)) return undefined;
    if (/^[\x21-\x7e]+$/.test(raw) && raw.length >= lengthMin) return raw;
    throw new Error(`${variable} must be at least ${lengthMin} printable ASCII characters without spaces`);
  };
  return { variable, why, fallback: "generated", secret: true, read };
}

/** Exactly this many bytes in base64, or nothing. */
export function optionalKey(variable: string, bytes: number, why: string): Setting<string | undefined> {
  const read = (raw: string | undefined): string | undefined => {
    if (isUnset(raw)) return undefined;
    const text = raw.trim();
    const decoded = Buffer.from(text, "base64");
    if (/^[A-Za-z0-9+/_-]+={0,2}$/.test(text) && decoded.length === bytes) return text;
    throw new Error(`${variable} must be ${bytes} bytes in base64`);
  };
  return { variable, why, fallback: "generated", secret: true, read };
}
