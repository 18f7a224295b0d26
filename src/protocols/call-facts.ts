import type { ByteRange } from "#kernel/json-scan.ts";

/** What the last message of a conversation is, for rules that tell people's turns from tools' turns. */
interface MessageShape {
  readonly count: number;
  /** The last message is a person's: role `user`, and not the result of a tool. */
  readonly isUserTurn: boolean;
}

/** What a coding assistant may ask on its own account: to be ready or to name a conversation, or what its user may say next. */
export type Housekeeping = "warmup" | "suggestion";

/** What the request path needs to know of any body. The body itself stays as the bytes the client sent. */
export interface CallFacts {
  readonly model: string;
  /**
   * Where the value of the top-level `model` stands, quotes included. Undefined where the body was read by its tree,
   * which does not tell: it is small, and looked through again for the few that need to know.
   */
  readonly modelRange: ByteRange | undefined;
  readonly stream: boolean;
  /** 0 when absent or not a whole number. */
  readonly maxTokens: number;
  /** Extended thinking is asked for. */
  readonly thinking: boolean;
  readonly effort: "low" | "medium" | "high" | "max" | undefined;
  readonly metadataUserId: string | undefined;
  readonly messages: MessageShape;
  /** The body has Claude Code's marks. Looked for only behind its user agent: false for every other client. */
  readonly isClaudeCodeBody: boolean;
  /** Undefined: the request is its user's. */
  readonly housekeeping: Housekeeping | undefined;
  /** Which conversation this belongs to; the same over its turns and never shared between API keys. */
  readonly sessionKey: string;
  /** xxHash64 of the whole body, in hexadecimal. */
  readonly payloadHash: string;
}

/** What tells conversations apart besides the body. */
export interface SessionSeed {
  readonly apiKeyId: number;
  readonly clientAddress: string | undefined;
  readonly userAgent: string | undefined;
  /** The header `x-claude-code-session-id`. */
  readonly sessionId: string | undefined;
}
