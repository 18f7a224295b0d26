import { Fault } from "#kernel/fault.ts";

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
export async function readBody(request: Request, { bytesMax, readMs }: BodyLimits): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  if (declared > bytesMax) {
    const timer = Promise.withResolvers<void>();
    const limit = setTimeout(timer.resolve, readMs);
    await Promise.race([discard(request), timer.promise]).finally(() => clearTimeout(limit));
    throw tooLarge(bytesMax);
  }
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Fault("parse.body_unreadable", { internal: "took too long" })),
    readMs,
  );
  try {
    return await Promise.race([
      declared <= bytesMax ? request.bytes() : readCounted(request, bytesMax),
      late,
    ]);
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault("parse.body_unreadable", { internal: "the body broke off", cause: thrown });
  } finally {
    clearTimeout(timer);
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

function tooLarge(bytesMax: number): Fault {
  return new Fault("parse.body_too_large", {
    publicMessage: `Request body exceeds the limit of ${bytesMax} bytes`,
  });
}
