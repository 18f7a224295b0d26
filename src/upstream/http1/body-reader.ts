import { ChunkedBody } from "./chunked-body.ts";
import { WireError } from "./wire-error.ts";

const DIGITS = /^\d+$/;

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
 * The reader for an answer, as RFC 9112 section 6.3 says.
 *
 * @throws WireError for a length that is none, or that contradicts chunks or itself, and for a transfer coding other
 *   than `chunked`: none is asked for.
 */
export function bodyReaderFor({ status, transferEncoding, contentLength }: Framing): BodyReader {
  const size = contentLength === undefined ? undefined : sizeOf(contentLength);
  if (transferEncoding !== undefined) {
    const isChunked = transferEncoding.toLowerCase() === "chunked" && size === undefined;
    if (!isChunked) throw new WireError("HPE_INVALID_TRANSFER_ENCODING");
  }
  if (status === 204 || status === 304) return new SizedBody(0);
  if (transferEncoding !== undefined) return new ChunkedBody();
  return size === undefined ? new UnendingBody() : new SizedBody(size);
}

function sizeOf(contentLength: string): number {
  const size = DIGITS.test(contentLength) ? Number(contentLength) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw new WireError("HPE_INVALID_CONTENT_LENGTH");
  return size;
}
