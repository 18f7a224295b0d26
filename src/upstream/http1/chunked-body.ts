import type { BodyReader } from "./body-reader.ts";
import { WireError } from "./wire-error.ts";

/** Longest line that says a chunk's size, with its extensions, and longest trailer section, in bytes. */
const SIZE_LINE_BYTES_MAX = 4_096;
const TRAILER_BYTES_MAX = 65_536;
/** Most digits of a chunk's size: 2^44 bytes, far from where numbers become inexact. */
const SIZE_DIGITS_MAX = 11;

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const SPACE = 0x20;
const TAB = 0x09;

/** What the next byte belongs to. */
type Place = "size" | "extension" | "size-end" | "data" | "data-end" | "trailer" | "whole";

/** A body in chunks, RFC 9112 section 7.1. Whatever the chunks, one read gives one piece: they are moved together. */
export class ChunkedBody implements BodyReader {
  readonly endsWithConnection = false;
  hasExcess = false;
  #place: Place = "size";
  /** Of the chunk: bytes still to come, or the size as far as it was read. */
  #left = 0;
  #digits = 0;
  /** Of the line or the trailer section that is being read. */
  #lineBytes = 0;
  /** Bytes of the end of a line or of the trailer section that were recognised. */
  #endBytes = 0;

  get isWhole(): boolean {
    return this.#place === "whole";
  }

  read(bytes: Uint8Array): Uint8Array | undefined {
    let at = 0;
    let start = 0;
    let end = 0;
    while (at < bytes.length && this.#place !== "whole") {
      if (this.#place !== "data") {
        at = this.#readFrame(bytes, at);
        continue;
      }
      const size = Math.min(this.#left, bytes.length - at);
      if (end === start) {
        start = at;
        end = at;
      } else if (end !== at) bytes.copyWithin(end, at, at + size);
      end += size;
      at += size;
      this.#left -= size;
      if (this.#left === 0) this.#place = "data-end";
    }
    this.hasExcess ||= at < bytes.length;
    return end === start ? undefined : bytes.subarray(start, end);
  }

  /** Reads what is not data, up to the next data or as far as there is something; returns where. */
  #readFrame(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && this.#place !== "data" && this.#place !== "whole") {
      this.#take(bytes[at++] as number);
    }
    return at;
  }

  #take(byte: number): void {
    const place = this.#place;
    if (place === "size") this.#takeSize(byte);
    else if (place === "size-end") this.#endSizeLine(byte);
    else if (place === "data-end") this.#takeDataEnd(byte);
    else if (place === "extension") this.#takeExtension(byte);
    else this.#takeTrailer(byte);
  }

  #takeSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      if (++this.#digits > SIZE_DIGITS_MAX) throw new WireError("HPE_INVALID_CHUNK_SIZE");
      this.#left = this.#left * 16 + digit;
      return;
    }
    if (this.#digits === 0) throw new WireError("HPE_INVALID_CHUNK_SIZE");
    if (byte === CR) this.#place = "size-end";
    else if (byte === SEMICOLON || byte === SPACE || byte === TAB) this.#place = "extension";
    else throw new WireError("HPE_INVALID_CHUNK_SIZE");
  }

  /** Extensions mean nothing to us; none may contain a line feed. */
  #takeExtension(byte: number): void {
    if (byte === LF || ++this.#lineBytes > SIZE_LINE_BYTES_MAX) throw new WireError("HPE_INVALID_CHUNK_SIZE");
    if (byte === CR) this.#place = "size-end";
  }

  #endSizeLine(byte: number): void {
    if (byte !== LF) throw new WireError("HPE_STRICT");
    this.#digits = 0;
    this.#lineBytes = 0;
    this.#place = this.#left === 0 ? "trailer" : "data";
    // The line before the trailer section has ended: an empty line is all that is missing.
    this.#endBytes = 2;
  }

  #takeDataEnd(byte: number): void {
    if (byte !== (this.#endBytes === 2 ? CR : LF)) throw new WireError("HPE_STRICT");
    this.#endBytes++;
    if (this.#endBytes < 4) return;
    this.#endBytes = 0;
    this.#place = "size";
  }

  /** Trailers are passed over: they end with an empty line. */
  #takeTrailer(byte: number): void {
    if (++this.#lineBytes > TRAILER_BYTES_MAX) throw new WireError("HPE_HEADER_OVERFLOW");
    const wanted = this.#endBytes % 2 === 0 ? CR : LF;
    if (byte === wanted) this.#endBytes++;
    else this.#endBytes = byte === CR ? 1 : 0;
    if (this.#endBytes === 4) this.#place = "whole";
  }
}

/** The value of a hexadecimal digit; -1 for anything else. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
