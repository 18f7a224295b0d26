/** What kind of content an answer holds, in Anthropic's block types. */
export type PlanContent = "text" | "tool_use" | "thinking" | "mixed";

/**
 * How an answer goes wrong.
 *
 * `after_event: n` is the moment right after the n-th `content_block_delta` of the answer; 0 is the
 * moment right after the first `content_block_start`. `after_bytes: n` counts bytes of the body without its HTTP
 * framing. Only the faults up to `headers_then_silence` and those with `after_bytes` make sense
 * without a stream; the others are refused with 400 when the request does not ask for one.
 */
export type PlanFault =
  /** TCP RST instead of an answer. */
  | { readonly kind: "reset_before_headers" }
  /** TCP FIN instead of an answer. */
  | { readonly kind: "close_before_headers" }
  /** No answer, ever; the socket stays open until the client leaves. */
  | { readonly kind: "silence_before_headers" }
  /** Status and headers, then nothing. */
  | { readonly kind: "headers_then_silence" }
  /** The `message_start` event, then nothing. */
  | { readonly kind: "message_start_then_silence" }
  /**
   * Pings instead of an answer, one every `event_interval_ms` (at least {@link PING_INTERVAL_MS_MIN}),
   * until the client leaves; with `pings` that many, then silence.
   */
  | { readonly kind: "ping_only" }
  /** Stops sending and keeps the socket open. */
  | ({ readonly kind: "stall" } & FaultMoment)
  /** Closes the socket in the middle of the body, by FIN unless `by` says RST. */
  | ({ readonly kind: "cut"; readonly by?: "fin" | "rst" } & FaultMoment)
  /** Breaks the chunked framing, then closes the socket. */
  | { readonly kind: "malformed_chunk"; readonly after_event: number }
  /** Slips in one event whose data is not JSON, then goes on as if nothing had happened. */
  | { readonly kind: "malformed_event"; readonly after_event: number }
  /** Sends `event: error` in the stream (`overloaded_error` unless told otherwise) and ends the body. */
  | {
      readonly kind: "error_event";
      readonly after_event: number;
      readonly error_type?: string;
      readonly error_message?: string;
    }
  /** Sends everything but `message_stop`, and ends the body properly. */
  | { readonly kind: "missing_message_stop" }
  /** Sends every event but no last chunk, and closes the socket (FIN) or leaves it open. */
  | { readonly kind: "missing_terminator"; readonly socket: "closed" | "open" };

type FaultMoment = { readonly after_event: number } | { readonly after_bytes: number };

/** The shortest pause between two pings of a `ping_only` answer, in milliseconds. */
export const PING_INTERVAL_MS_MIN = 5;

/** Tokens an answer reports, each overriding what would be derived from request and answer. */
export interface PlanUsage {
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly cache_creation_input_tokens?: number;
  readonly cache_read_input_tokens?: number;
  readonly cache_creation?: {
    readonly ephemeral_5m_input_tokens?: number;
    readonly ephemeral_1h_input_tokens?: number;
  };
}

/**
 * What the simulator does with one request. Plain JSON; every field is optional, and the empty plan
 * is a short successful answer.
 */
export interface Plan {
  /** Shows up in the attempt log. */
  readonly name?: string;
  /** Pause before the status line, in milliseconds. */
  readonly delay_ms?: number;
  /** Requests that the key may have in flight, this one included; beyond that it is answered 429 at once. */
  readonly in_flight_max?: number;
  /** 200, or an error status (400 to 599) answered in Anthropic's envelope. */
  readonly status?: number;
  /** Words of the error envelope. */
  readonly error_message?: string;
  /** Raw body of an error answer, instead of the envelope. */
  readonly error_body?: string;
  /** Response headers that are added to, or replace, the usual ones. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The answer's text, cut into `events` deltas, or into words when `events` is absent. */
  readonly text?: string;
  /** Bytes of made-up text in each delta (UTF-8, with characters of one to four bytes). */
  readonly text_bytes?: number;
  /** Number of deltas that carry the text. */
  readonly events?: number;
  readonly content?: PlanContent;
  readonly stop_reason?: string;
  readonly usage?: PlanUsage;
  /**
   * What `message_delta` reports: the output alone as in Anthropic's documentation, or all tokens once
   * more as its API does for some models. They are cumulative, so a reader that adds them up is wrong.
   */
  readonly delta_usage?: "output_only" | "cumulative";
  /** Pause before each delta and ping, in milliseconds. */
  readonly event_interval_ms?: number;
  /**
   * Number of `ping` events, 1 unless told otherwise: one before each delta as long as there are any,
   * the rest before `message_delta`.
   */
  readonly pings?: number;
  /**
   * Sends the stream in pieces of so many bytes, each its own HTTP chunk and socket write, whatever
   * they cut through. The last piece before a pause or the end may be shorter.
   */
  readonly chunk_bytes?: number;
  /** Ends the lines of the event stream with CRLF instead of LF. */
  readonly crlf?: boolean;
  readonly fault?: PlanFault;
}
