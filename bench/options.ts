import { parseArgs } from "node:util";
import { SCENARIOS, type Scenario } from "./scenarios.ts";

/** What the command line says about a run. */
export interface Options {
  /** Benchmarks by name; none for the usual ones. */
  readonly names: readonly string[];
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  /** Length of one round of the load benchmark, in seconds. */
  readonly seconds: number;
  /** Connections of the benchmarks that keep so many requests under way. */
  readonly connections: number;
  readonly arrivals: "poisson" | "fixed";
  readonly threads: number;
  /** A server on which databases may be made and dropped; undefined for the embedded database. */
  readonly postgres: string | undefined;
  readonly redis: string | undefined;
  /** Port of the upstream; 0 for any free one. */
  readonly upstreamPort: number;
  /** Whether the upstream speaks TLS. */
  readonly tls: boolean;
  /** Keeps what is measured and what measures on different processors, where there are enough. */
  readonly pin: boolean;
  readonly busyOk: boolean;
  readonly json: string | undefined;
  readonly compare: string | undefined;
  readonly markdown: string | undefined;
  readonly from: string | undefined;
  /** Other gateways, by what to call them and where they serve. */
  readonly peerUrls: readonly string[];
  readonly peerHeaders: readonly string[];
}

const FLAGS = {
  scenario: { type: "string" },
  rounds: { type: "string", default: "5" },
  seconds: { type: "string", default: "3" },
  connections: { type: "string", default: "32" },
  arrivals: { type: "string", default: "poisson" },
  threads: { type: "string", default: "1" },
  postgres: { type: "string" },
  embedded: { type: "boolean", default: false },
  redis: { type: "string" },
  "upstream-port": { type: "string", default: "0" },
  tls: { type: "boolean", default: false },
  "no-pin": { type: "boolean", default: false },
  "busy-ok": { type: "boolean", default: false },
  json: { type: "string" },
  compare: { type: "string" },
  markdown: { type: "string" },
  from: { type: "string" },
  "peer-url": { type: "string", multiple: true },
  "peer-header": { type: "string", multiple: true },
} as const;

/** What `bun bench --help` says of the options. */
export const OPTIONS_HELP = `options:
  --scenario small,stream,large   what is sent (all)
  --rounds N                      interleaved rounds (5)
  --seconds N                     length of a round of load (3)
  --connections N                 requests under way in the closed benchmarks (32)
  --arrivals poisson|fixed        when requests arrive under load (poisson)
  --threads N                     HTTP threads (1)
  --postgres URL | --embedded     where databases may be made and dropped (BENCH_DATABASE_URL, else embedded)
  --redis URL                     coordinate over Redis
  --upstream-port N               where gateways that run already find the upstream (any free port)
  --tls                           the upstream speaks TLS
  --no-pin                        let everything run on every processor
  --busy-ok                       measure on a busy machine too
  --json FILE                     store the results
  --compare FILE                  show what differs from results stored before
  --markdown FILE                 write the tables into a document, between its markers
  --from FILE                     take stored results instead of measuring
  --peer-url NAME=URL             peers: another gateway that serves POST /v1/messages (may be repeated)
  --peer-header "NAME: VALUE"     peers: a header for all of those (may be repeated)`;

/**
 * Reads the command line.
 *
 * @throws TypeError for an unknown option, RangeError for a value that makes no sense.
 */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
  const { arrivals } = values;
  if (arrivals !== "poisson" && arrivals !== "fixed") throw new RangeError("--arrivals: poisson or fixed");
  return {
    names: positionals,
    scenarios: scenariosOf(values.scenario),
    rounds: count("rounds", values.rounds),
    seconds: count("seconds", values.seconds),
    connections: count("connections", values.connections),
    arrivals,
    threads: count("threads", values.threads),
    postgres: values.embedded ? undefined : (values.postgres ?? process.env["BENCH_DATABASE_URL"]),
    redis: values.redis,
    upstreamPort: wholeNumber("upstream-port", values["upstream-port"], 0),
    tls: values.tls,
    pin: !values["no-pin"],
    busyOk: values["busy-ok"],
    json: values.json,
    compare: values.compare,
    markdown: values.markdown,
    from: values.from,
    peerUrls: values["peer-url"] ?? [],
    peerHeaders: values["peer-header"] ?? [],
  };
}

function scenariosOf(wanted: string | undefined): readonly Scenario[] {
  if (wanted === undefined) return SCENARIOS;
  return wanted.split(",").map((id) => {
    const scenario = SCENARIOS.find((known) => known.id === id);
    if (scenario === undefined) throw new RangeError(`--scenario: there is no ${id}`);
    return scenario;
  });
}

function count(name: string, text: string): number {
  return wholeNumber(name, text, 1);
}

function wholeNumber(name: string, text: string, min: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min) throw new RangeError(`--${name}: a whole number from ${min}`);
  return value;
}
