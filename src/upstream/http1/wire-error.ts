/** Why an exchange failed on its connection. */
export class WireError extends Error {
  override readonly name = "WireError";
  /** The operating system's name (`ECONNRESET`), the parser's (`HPE_...`), or that of a certificate's verdict. */
  readonly code: string;
  /** Whether it is certain that no byte of the request was written. */
  readonly isUnsent: boolean;

  constructor(code: string, { isUnsent = false, cause }: { isUnsent?: boolean; cause?: unknown } = {}) {
    super(code, { cause });
    this.code = code;
    this.isUnsent = isUnsent;
  }
}

/** The connection ended before the answer did. */
export const CLOSED_EARLY = "ECONNRESET";

/** The name by which a failure is known; the runtime's own errors carry one. */
export function codeOf(thrown: unknown, unnamed: string): string {
  if (!(thrown instanceof Error) || !("code" in thrown)) return unnamed;
  return typeof thrown.code === "string" && thrown.code !== "" ? thrown.code : unnamed;
}
