/** A fresh request id: time-ordered, unique, and recognisably ours (`req_` + UUIDv7 as hex). */
export function newRequestId(): string {
  return `req_${Bun.randomUUIDv7().replaceAll("-", "")}`;
}

/** Random bytes from the operating system. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}

const API_KEY_BYTES = 36;

/** A fresh API key: `sk-` and 288 random bits in 48 characters of base64url. */
export function newApiKey(): string {
  return `sk-${Buffer.from(randomBytes(API_KEY_BYTES)).toString("base64url")}`;
}

/** A number from 0 to below `bound`, for choices where nobody gains by guessing it. */
export function randomBelow(bound: number): number {
  return Math.floor(Math.random() * bound);
}
