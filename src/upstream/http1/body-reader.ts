import type { ChunkedBody } from "./chunked-body.ts";
import { WireError } from "./wire-error.ts";

/** Finds an answer's body in what a connection brings. */
export interface BodyReader {
  /** Whether the last byte of the body has been read. */
  readonly isWhole: boolean;
  /** Whether something came after the body that belongs to no answer. */
  readonly hasExcess: boolean;
  /** Whether it is the end of the connection that ends the body. */
  readonly endsWithConnection: boolean;
  /**
   * The part of `bytes` that is body: a view of the same memory, which is the reader's from here on, or undefined
   * when there is none.
   *
   * @throws WireError when the bytes are not framed as they should be.
   */
  read(bytes: Uint8Array): Uint8Array | undefined;
}

/** A body of known length. */
class SizedBody implements BodyReader {
  readonly endsWithConnection = false;
  hasExcess = false;
  #left: number;

  constructor(size: number) {
    this.#left = size;
  }

  get isWhole(): boolean {
    return this.#left === 0;
  }

  read(bytes: Uint8Array): Uint8Array | undefined {
    const part = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left);
    this.#left -= part.length;
    this.hasExcess ||= part.length < bytes.length;
    return part.length === 0 ? undefined : part;
  }
}

/** A body that ends with its connection. */
class UnendingBody implements BodyReader {
  readonly isWhole = false;
  readonly hasExcess = false;
  readonly endsWithConnection = true;

  read(bytes: Uint8Array): Uint8Array | undefined {
    return bytes.length === 0 ? undefined : bytes;
  }
}

/** What an answer's head says of how its body is framed. */
export interface Framing {
  readonly status: number;
  readonly transferEncoding: string | undefined;
  readonly contentLength: string | undefined;
}

/**
 * The reader for an answer, as RFC 9112 section 6.3 says. That the two headers do not contradict each other, or
 * themselves, has been looked at before.
 *
 * @throws WireError for a transfer coding other than `chunked`: none is asked for.
 */
export function bodyReaderFor(framing: Framing, chunked: () => ChunkedBody): BodyReader {
  const { status, transferEncoding, contentLength } = framing;
  if (status === 204 || status === 304) return new SizedBody(0);
  if (transferEncoding !== undefined) {
    if (transferEncoding.trim().toLowerCase() === "chunked") return chunked();
    throw new WireError("HPE_INVALID_TRANSFER_ENCODING");
  }
  if (contentLength === undefined) return new UnendingBody();
  const size = /^\d+$/.test(contentLength) ? Number(contentLength) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw new WireError("HPE_INVALID_CONTENT_LENGTH");
  return new SizedBody(size);
}
