import { Fault } from "#kernel/fault.ts";

/**
 * Reads a whole upstream body into one buffer.
 *
 * @param bytesMax a larger body is broken off.
 * @throws Fault `upstream.invalid_answer` when it is larger; or whatever reading throws.
 */
export async function readBounded(response: Response, bytesMax: number): Promise<Uint8Array> {
  const declared = response.headers.get("content-length");
  if (declared !== null && Number(declared) <= bytesMax) return await response.bytes();
  if (response.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of response.body) {
    total += chunk.length;
    if (total > bytesMax)
      throw new Fault("upstream.invalid_answer", { internal: `larger than ${bytesMax} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
