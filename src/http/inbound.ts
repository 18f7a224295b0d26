import { Fault } from "#kernel/fault.ts";
import type { StallWatch } from "#kernel/stall-watch.ts";

/** Most bytes that are read and thrown away so that a client in mid-upload gets to see its 413. */
const DISCARD_BYTES_MAX = 67_108_864;

/** Limits of reading a request body. */
export interface BodyLimits {
  readonly bytesMax: number;
  readonly readMs: number;
}

/**
 * Reads a whole request body.
 *
 * @throws Fault `parse.body_too_large` whether the size was declared or not, `parse.body_unreadable` when
 * the client broke off or took too long.
 */
export async function readBody(
  request: Request,
  { bytesMax, readMs }: BodyLimits,
  stallWatch: StallWatch,
): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const isTooLarge = declared > bytesMax;
  const watch = stallWatch.open(() => reject(isTooLarge ? tooLarge(bytesMax) : tookTooLong()));
  watch.arm(readMs);
  if (isTooLarge) void discard(request).then(() => reject(tooLarge(bytesMax)));
  else if (declared <= bytesMax) request.bytes().then(resolve, reject);
  else readCounted(request, bytesMax).then(resolve, reject);
  try {
    return await promise;
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault("parse.body_unreadable", { internal: "the body broke off", cause: thrown });
  } finally {
    watch.close();
  }
}

async function readCounted(request: Request, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of request.body ?? []) {
    total += chunk.length;
    if (total <= bytesMax) chunks.push(chunk);
    else if (total > bytesMax + DISCARD_BYTES_MAX) break;
  }
  if (total > bytesMax) throw tooLarge(bytesMax);
  return Buffer.concat(chunks);
}

/** A client that is still sending does not look for an answer; closing on it would lose the answer. */
async function discard(request: Request): Promise<void> {
  let total = 0;
  try {
    for await (const chunk of request.body ?? []) {
      total += chunk.length;
      if (total > DISCARD_BYTES_MAX) return;
    }
  } catch {
    // The client broke off by itself: there is nobody left to answer.
  }
}

function tookTooLong(): Fault {
  return new Fault("parse.body_unreadable", { internal: "took too long" });
}

function tooLarge(bytesMax: number): Fault {
  return new Fault("parse.body_too_large", {
    publicMessage: `Request body exceeds the limit of ${bytesMax} bytes`,
  });
}
