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
 * @param onGivenUp called when it will not be read to its end.
 * @throws Fault `parse.body_too_large` whether the size was declared or not, `parse.body_unreadable` when
 * the client broke off or took too long.
 */
export function readBody(
  request: Request,
  { bytesMax, readMs }: BodyLimits,
  stallWatch: StallWatch,
  onGivenUp?: () => void,
): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? Number.NaN);
  const isTooLarge = declared > bytesMax;
  return new Promise<Uint8Array>((resolve, reject) => {
    const watch = stallWatch.open(() => fail(isTooLarge ? tooLarge(bytesMax) : tookTooLong()));
    const fail = (thrown: unknown): void => {
      watch.close();
      onGivenUp?.();
      reject(thrown instanceof Fault ? thrown : brokenOff(thrown));
    };
    watch.arm(readMs);
    if (isTooLarge) {
      void discard(request).then(() => fail(tooLarge(bytesMax)));
      return;
    }
    // A promise is made for each step, and every request comes by here: there are as few as can be.
    const reading = declared <= bytesMax ? request.bytes() : readCounted(request, bytesMax);
    reading.then((body) => {
      watch.close();
      resolve(body);
    }, fail);
  });
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

function brokenOff(cause: unknown): Fault {
  return new Fault("parse.body_unreadable", { internal: "the body broke off", cause });
}

function tookTooLong(): Fault {
  return new Fault("parse.body_unreadable", { internal: "took too long" });
}

function tooLarge(bytesMax: number): Fault {
  return new Fault("parse.body_too_large", {
    publicMessage: `Request body exceeds the limit of ${bytesMax} bytes`,
  });
}
