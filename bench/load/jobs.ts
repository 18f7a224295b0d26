/** Where requests go and what they are. */
export interface Target {
  /** `http://host:port/path`, or `https:`, whose certificate is not checked. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Requests that arrive by a schedule of their own, however the answers come. */
export interface OpenJob {
  readonly kind: "open";
  readonly target: Target;
  /** Arrivals per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly arrivals: "poisson" | "fixed";
  /** The same seed makes the same schedule. */
  readonly seed: number;
}

/** Each connection sends its next request as soon as it has its answer. */
export interface ClosedJob {
  readonly kind: "closed";
  readonly target: Target;
  readonly connections: number;
  readonly requests: number;
  /** Share of requests whose client leaves after the first bytes of the answer; 0 to 1. */
  readonly leavingShare: number;
}

/** Opens streams, reports when each has begun, and keeps reading them until the process ends. */
export interface HoldJob {
  readonly kind: "hold";
  readonly target: Target;
  readonly streams: number;
}

/** What the generator can be told to do. */
export type Job = OpenJob | ClosedJob | HoldJob;

/** How a job went. Times are in milliseconds, from the intended moment of a request's arrival. */
export interface JobResult {
  /** Until the last byte of each answer. */
  readonly latencies: readonly number[];
  /** Until the first piece of content; of an answer that is no stream, until its end. */
  readonly firstTokens: readonly number[];
  /** How late the generator itself was in sending. */
  readonly lags: readonly number[];
  /** From the first intended arrival to the last answer. */
  readonly tookMs: number;
  /** Answers that were not a whole 200, by what was wrong. */
  readonly failures: Readonly<Record<string, number>>;
}
