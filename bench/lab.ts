import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Target } from "./load/jobs.ts";
import { type LoadGenerator, startGenerator } from "./load/load-generator.ts";
import type { Options } from "./options.ts";
import { pinsFor } from "./pins.ts";
import { type ServingProcess, serve } from "./processes.ts";
import type { Scenario } from "./scenarios.ts";
import { openSluice, type Sluice, type SluiceVariant, type Tenant } from "./stage.ts";

/** Somebody who answers `POST /v1/messages`. */
export interface Contestant {
  readonly name: string;
  readonly url: string;
  /** What its calls carry besides the body. */
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined for the upstream itself, which is no part of what is measured. */
  readonly pid: number | undefined;
}

/** How one gateway in the lab differs from the others. */
export interface LabVariant extends SluiceVariant {
  readonly name?: string;
  readonly tenant?: Partial<Tenant>;
  /** Servers of the run that it does without. */
  readonly without?: readonly "postgres"[];
}

/** Load generator, upstream, and whoever is started between the two. */
export interface Lab {
  readonly generator: LoadGenerator;
  readonly upstream: ServingProcess;
  /** The upstream without anybody in between. */
  readonly direct: Contestant;
  /** What every contestant needs in its environment: whom to trust. */
  readonly env: Readonly<Record<string, string>>;
  /** @param to the upstream it passes calls to; the lab's own unless given. */
  startBare(to?: string): Promise<Contestant>;
  startSluice(variant?: LabVariant): Promise<Contestant & { readonly sluice: Sluice }>;
  /** Ends a process with the lab. */
  keep(process: { stop(): Promise<void> }): void;
  stop(): Promise<void>;
}

/** What every client of the Messages API sends. */
export const CLIENT_HEADERS = {
  "content-type": "application/json",
  "anthropic-version": "2023-06-01",
  "user-agent": "bench/1.0",
} as const;

/** One scenario's request to one contestant. */
export function targetOf({ url, headers }: Contestant, { body }: Pick<Scenario, "body">): Target {
  return { url: `${url}/v1/messages`, headers, body };
}

/** Starts the load generator and an upstream that replays answers. */
export async function openLab(options: Options): Promise<Lab> {
  const pins = pinsFor(options);
  const kept: { stop(): Promise<void> }[] = [];
  const keep = <Kept extends { stop(): Promise<void> }>(started: Kept): Kept => {
    kept.push(started);
    return started;
  };
  const certificate = options.tls ? keep(makeCertificate()) : undefined;
  const env: Record<string, string> =
    certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: certificate.certFile };
  const upstream = keep(
    await serve({
      name: "upstream",
      args: ["bench/load/upstream.ts", "--port", String(options.upstreamPort), ...(certificate?.args ?? [])],
      pin: pins.load,
      urlIn: /"url":"([^"]+)"/,
    }),
  );
  const generator = keep(startGenerator(pins.load));
  return {
    generator,
    upstream,
    env,
    direct: { name: "direct", url: upstream.url, pid: undefined, headers: headersOf("bench") },
    startBare: async (to = upstream.url) => {
      const { url, pid } = keep(
        await serve({
          name: "bare pass-through",
          args: ["bench/pass-through.ts", to],
          pin: pins.subject,
          env,
          urlIn: /"url":"([^"]+)"/,
        }),
      );
      return { name: "bare pass-through", url, pid, headers: headersOf("bench") };
    },
    startSluice: async ({ name = "Sluice", tenant = {}, without = [], ...variant } = {}) => {
      const reduced = without.includes("postgres") ? { ...options, postgres: undefined } : options;
      const sluice = keep(await openSluice(reduced, { ...variant, env: { ...env, ...variant.env } }));
      const { key } = await sluice.tenant({ upstream: upstream.url, ...tenant });
      return { name, url: sluice.url, pid: sluice.pid, headers: headersOf(key), sluice };
    },
    keep,
    stop: async () => {
      for (const started of kept.reverse()) await started.stop();
    },
  };
}

function headersOf(key: string): Readonly<Record<string, string>> {
  return { ...CLIENT_HEADERS, "x-api-key": key };
}

/** A certificate for this machine's own address that nobody else trusts. */
export function makeCertificate() {
  const dir = mkdtempSync(join(tmpdir(), "sluice-bench-tls-"));
  const certFile = join(dir, "cert.pem");
  const keyFile = join(dir, "key.pem");
  const made = Bun.spawnSync(
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout ${keyFile} -out ${certFile}`.split(
      " ",
    ),
  );
  if (!made.success) throw new Error(`openssl made no certificate: ${made.stderr.toString()}`);
  return {
    certFile,
    args: ["--cert", certFile, "--key", keyFile],
    stop: async () => rmSync(dir, { recursive: true, force: true }),
  };
}
