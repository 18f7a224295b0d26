import { Fault } from "#kernel/fault.ts";
import { WireError } from "./http1/wire-error.ts";

/**
 * Reads a decoded body into one buffer.
 *
 * @param bytesMax a larger body is broken off.
 * @throws Fault `upstream.invalid_answer` when it is larger, or cannot be decoded; or whatever ended it.
 */
export async function readBounded(stream: ReadableStream<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const part of stream) {
      total += part.length;
      if (total > bytesMax) {
        throw new Fault("upstream.invalid_answer", { internal: `larger than ${bytesMax} bytes` });
      }
      parts.push(part);
    }
  } catch (thrown) {
    if (thrown instanceof Fault || thrown instanceof WireError) throw thrown;
    throw new Fault("upstream.invalid_answer", { internal: "not in its content coding", cause: thrown });
  }
  return Buffer.concat(parts);
}
