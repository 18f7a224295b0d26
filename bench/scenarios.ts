/** What is sent, and how often in one round. */
export interface Scenario {
  readonly name: string;
  readonly body: string;
  readonly requests: number;
}

const MODEL = "claude-sonnet-4-6";
const FILLER = 'He said "yes", then\nleft — 世界 \\ and so on. ';

const message = (content: string, rest: object): string =>
  JSON.stringify({ model: MODEL, max_tokens: 64, messages: [{ role: "user", content }], ...rest });

/** The load of every comparison. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "small JSON", body: message("Hi", {}), requests: 4_000 },
  {
    name: "50-event stream",
    body: message("Hi", { stream: true, simulator: { events: 50, text_bytes: 20 } }),
    requests: 2_000,
  },
  {
    name: "250 kB body, 50-event stream",
    body: message(FILLER.repeat(Math.ceil(247_000 / JSON.stringify(FILLER).length)), {
      stream: true,
      simulator: { events: 50, text_bytes: 20 },
    }),
    requests: 600,
  },
];
