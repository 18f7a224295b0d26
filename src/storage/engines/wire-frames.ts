/**
 * Cuts a PostgreSQL client's byte stream into whole messages.
 *
 * Source of the numbers: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
 */

/** What a connection sent, as far as whoever schedules it needs to know. */
export interface Frame {
  readonly kind: "encryption_request" | "cancel_request" | "startup" | "terminate" | "part" | "end_of_cycle";
  readonly bytes: Uint8Array;
}

const ENCRYPTION_REQUEST_CODES = new Set([80_877_103, 80_877_104]);
const CANCEL_REQUEST_CODE = 80_877_102;

/** `Query`, `Sync` and `FunctionCall`: the messages that make the server answer `ReadyForQuery`. */
const ENDS_CYCLE = new Set([..."QSF"].map((letter) => letter.charCodeAt(0)));
const TERMINATE = "X".charCodeAt(0);

/** Longest message that is taken, in bytes; longer than any statement of ours, far below the protocol's 1 GiB. */
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The first whole message in `buffer`, or undefined while it is still incomplete.
 *
 * Until the startup message has come, messages have no type byte.
 *
 * @throws Error when the length field cannot be right or exceeds {@link FRAME_BYTES_MAX}.
 */
export function readFrame(buffer: Buffer, isStarted: boolean): Frame | undefined {
  return isStarted ? readTyped(buffer) : readUntyped(buffer);
}

function readTyped(buffer: Buffer): Frame | undefined {
  const bytes = cut(buffer, 1, 4);
  if (bytes === undefined) return undefined;
  const type = bytes[0] ?? 0;
  if (type === TERMINATE) return { kind: "terminate", bytes };
  return { kind: ENDS_CYCLE.has(type) ? "end_of_cycle" : "part", bytes };
}

function readUntyped(buffer: Buffer): Frame | undefined {
  const bytes = cut(buffer, 0, 8);
  if (bytes === undefined) return undefined;
  const code = bytes.readInt32BE(4);
  if (ENCRYPTION_REQUEST_CODES.has(code)) return { kind: "encryption_request", bytes };
  return { kind: code === CANCEL_REQUEST_CODE ? "cancel_request" : "startup", bytes };
}

function cut(buffer: Buffer, lengthOffset: number, lengthMin: number): Buffer | undefined {
  if (buffer.length < lengthOffset + 4) return undefined;
  const length = buffer.readInt32BE(lengthOffset);
  if (length < lengthMin || length > FRAME_BYTES_MAX) {
    throw new Error(`a message of ${length} bytes is not acceptable`);
  }
  const end = lengthOffset + length;
  return buffer.length < end ? undefined : buffer.subarray(0, end);
}
