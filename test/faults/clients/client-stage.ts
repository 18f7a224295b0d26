import { readdirSync, readFileSync } from "node:fs";
import type { Attempt } from "#simulator/attempt.ts";
import type { Plan } from "#simulator/plan.ts";
import { eventually, type Tenant, type UsageRow, usageOf } from "#support/gateway.ts";
import { openStage, type Stage } from "../../e2e/stage.ts";
import { messageBody, RawClient, requestBytes } from "../../simulator/raw-client.ts";

/** Longest the gateway may take to come to rest after a fault, in milliseconds. */
const REST_MS_MAX = 30_000;
/** Longest an ordinary request may take while or after a client misbehaves, in milliseconds. */
const ALIVE_MS_MAX = 3_000;
/** A gateway and clients that misbehave in front of it. */
export interface ClientStage extends Pick<Stage, "gateway" | "simulator" | "tenant" | "set" | "close"> {
  /** Opens a connection to the gateway that shows bytes, FIN and RST as they are. */
  connect(): RawClient;
  /** A whole request as bytes on the wire. */
  request(tenant: Tenant, options?: RequestOptions): string;
  /** What the upstream saw of a tenant, in order. */
  attempts(tenant: Tenant): readonly Attempt[];
  /** The tenant's rows, once there are so many. */
  rows(tenant: Tenant, count: number): Promise<readonly UsageRow[]>;
  /** An ordinary request is answered in good time, on a connection of its own. */
  isAlive(): Promise<void>;
  /** Nothing of the tenant's is in flight, waiting or unbooked, and no client's socket is held. */
  isAtRest(tenant: Tenant): Promise<void>;
  /** Sockets of the clients of {@link connect} that the gateway holds. */
  clientSockets(): number;
}

export interface RequestOptions {
  readonly plan?: Plan;
  readonly stream?: boolean;
  readonly headers?: Record<string, string>;
  /** Instead of the usual small body. */
  readonly body?: string;
}

/** Starts a gateway with short limits, so that what waits for a limit is over soon. */
export async function openClientStage(env: Record<string, string> = {}): Promise<ClientStage> {
  const stage = await openStage({
    BODY_READ_TIMEOUT_SECONDS: "2",
    CLIENT_STALL_SECONDS: "2",
    DRAIN_SECONDS: "2",
    LOG_LEVEL: "error",
    ...env,
  });
  const { gateway, simulator } = stage;
  const port = Number(new URL(gateway.url).port);
  const prober = await stage.tenant([{}]);
  const clients: RawClient[] = [];
  const clientSockets = (): number => {
    const ports = new Set(clients.map(({ port: own }) => own));
    return peersAt(port).filter((peer) => ports.has(peer)).length;
  };
  const sluiceJournal = async (): Promise<number> => {
    const metrics = await fetch(`${gateway.url}/metrics`, { keepalive: false });
    return Number(/^sluice_journal_records (\d+)/m.exec(await metrics.text())?.[1]);
  };
  const live = async ({ userId, accountIds }: Tenant): Promise<number> => {
    const paths = [`/users/${userId}/status`, ...accountIds.map((id) => `/accounts/${id}/status`)];
    type Live = { readonly in_flight: number; readonly waiting: number };
    const found = await Promise.all(paths.map((path) => gateway.admin<Live>("GET", path)));
    return found.reduce((sum, { in_flight, waiting }) => sum + in_flight + waiting, 0);
  };
  return {
    gateway,
    simulator,
    tenant: stage.tenant,
    set: stage.set,
    close: stage.close,
    connect: () => {
      const client = new RawClient(port);
      clients.push(client);
      return client;
    },
    request: ({ key }, { plan, stream = true, headers = {}, body = messageBody(plan, stream) } = {}) =>
      requestBytes(body, { Host: "gateway", "x-api-key": key, ...headers }),
    attempts: ({ upstreamKeys }) =>
      simulator.attempts().filter(({ apiKey }) => upstreamKeys.includes(apiKey ?? "")),
    rows: ({ userId }, count) =>
      eventually(
        () => usageOf(gateway, userId),
        (found) => found.length >= count,
      ),
    isAlive: async () => {
      const answer = await fetch(`${gateway.url}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": prober.key },
        body: messageBody(undefined, false),
        signal: AbortSignal.timeout(ALIVE_MS_MAX),
        keepalive: false,
      });
      if (answer.status !== 200) throw new Error(`not alive: ${answer.status} ${await answer.text()}`);
      await answer.text();
    },
    isAtRest: async (tenant) => {
      const read = async () => ({
        live: await live(tenant),
        unbooked: await sluiceJournal(),
        sockets: clientSockets(),
      });
      await eventually(read, ({ live, unbooked, sockets }) => live + unbooked + sockets === 0, REST_MS_MAX);
    },
    clientSockets,
  };
}

/** Ports of the clients whose sockets at a local port a process holds (Linux: `/proc/net/tcp`). */
function peersAt(port: number): readonly number[] {
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1, -1);
  return rows.flatMap((row) => {
    const [, local = "", remote = "", , , , , , , inode] = row.trim().split(/\s+/);
    // A socket that the kernel is still closing has no inode any more.
    return portIn(local) === port && inode !== "0" ? [portIn(remote)] : [];
  });
}

const portIn = (address: string): number => Number.parseInt(address.slice(address.indexOf(":") + 1), 16);

/** File descriptors a process has open (Linux: `/proc/PID/fd`). */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
