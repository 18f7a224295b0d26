import type { Clock } from "#kernel/clock.ts";

/** Reason phrases of the statuses Anthropic answers with; others go without one (RFC 9112, section 4). */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Payload Too Large",
  429: "Too Many Requests",
  500: "Internal Server Error",
};

/** How long the sample limits take to refill, in milliseconds. */
const REFILL_MS = 60_000;

/** The parts of a response head that differ from one answer to the next. */
export interface ResponseHead {
  readonly status: number;
  readonly requestId: string;
  readonly contentType: string;
  /** Length of the body in bytes, or chunked when it is not known. */
  readonly length: number | "chunked";
  /** Whether the connection ends with this answer. */
  readonly isLast: boolean;
  /** Replaces headers of the same name, whatever the case, and adds the others. */
  readonly extra?: Readonly<Record<string, string>> | undefined;
}

/** Writes response heads. Headers that carry the time are made once a second. */
export class HeadWriter {
  readonly #clock: Clock;
  #madeInSecond = -1;
  #timed: readonly (readonly [string, string])[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The head's bytes, closing blank line included. */
  write({ status, requestId, contentType, length, isLast, extra = {} }: ResponseHead): Buffer {
    const replaced = new Set(Object.keys(extra).map((name) => name.toLowerCase()));
    const lines = [
      ["content-type", contentType] as const,
      length === "chunked"
        ? (["transfer-encoding", "chunked"] as const)
        : (["content-length", `${length}`] as const),
      ["connection", isLast ? "close" : "keep-alive"] as const,
      ["request-id", requestId] as const,
      ...this.#timedHeaders(),
    ];
    const usual = lines.filter(([name]) => !replaced.has(name));
    const text = [...usual, ...Object.entries(extra)]
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    return Buffer.from(`HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n${text}\r\n`, "latin1");
  }

  #timedHeaders(): readonly (readonly [string, string])[] {
    const second = Math.floor(this.#clock.now() / 1000);
    if (second !== this.#madeInSecond) {
      this.#madeInSecond = second;
      this.#timed = timedHeaders(second * 1000);
    }
    return this.#timed;
  }
}

/** Sample values in the form of Anthropic's rate limit headers (platform.claude.com/docs/en/api/rate-limits). */
function timedHeaders(nowMs: number): readonly (readonly [string, string])[] {
  const reset = new Date(nowMs + REFILL_MS).toISOString().replace(".000Z", "Z");
  const samples = [
    ["requests", 4000, 3999],
    ["tokens", 2_400_000, 2_399_000],
    ["input-tokens", 2_000_000, 1_999_000],
    ["output-tokens", 400_000, 400_000],
  ] as const;
  return [
    ["date", new Date(nowMs).toUTCString()] as const,
    ...samples.flatMap(([name, limit, remaining]) => [
      [`anthropic-ratelimit-${name}-limit`, `${limit}`] as const,
      [`anthropic-ratelimit-${name}-remaining`, `${remaining}`] as const,
      [`anthropic-ratelimit-${name}-reset`, reset] as const,
    ]),
  ];
}
