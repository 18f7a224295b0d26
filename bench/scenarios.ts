/** What is sent, and how often in one round. */
export interface Scenario {
  /** How `--scenario` names it. */
  readonly id: "small" | "stream" | "large";
  readonly name: string;
  readonly isStream: boolean;
  readonly body: string;
  readonly requests: number;
}

const MODEL = "claude-sonnet-4-6";
const FILLER = 'He said "yes", then\nleft — 世界 \\ and so on. ';
const LARGE_CONTENT_BYTES = 247_000;
const EVENTS = { stream: true, simulator: { events: 50, text_bytes: 20 } };

const message = (content: string, rest: object): string =>
  JSON.stringify({ model: MODEL, max_tokens: 64, messages: [{ role: "user", content }], ...rest });

/** The load of every comparison. */
export const SCENARIOS: readonly Scenario[] = [
  { id: "small", name: "small JSON", isStream: false, body: message("Hi", {}), requests: 6_000 },
  { id: "stream", name: "50-event stream", isStream: true, body: message("Hi", EVENTS), requests: 4_000 },
  {
    id: "large",
    name: "250 kB body, 50-event stream",
    isStream: true,
    body: message(FILLER.repeat(Math.ceil(LARGE_CONTENT_BYTES / JSON.stringify(FILLER).length)), EVENTS),
    requests: 1_000,
  },
];
