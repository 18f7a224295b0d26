import { type Clock, systemClock } from "#kernel/clock.ts";
import { type Attempt, attemptOf } from "./attempt.ts";
import { AttemptLog } from "./attempt-log.ts";
import { Connection, type Responder } from "./connection.ts";
import { CONTROL_PREFIX, ControlApi } from "./control-api.ts";
import { exchangeOf, lingering, textReply } from "./exchange.ts";
import type { Plan } from "./plan.ts";
import { PlanBook, type PlanTarget } from "./plan-book.ts";
import { readPlan } from "./plan-reader.ts";
import { errorEnvelope, Refusal } from "./refusal.ts";
import type { IncomingRequest } from "./request-reader.ts";
import { HeadWriter } from "./response-head.ts";
import type { SimulatorStats } from "./simulator-stats.ts";
import { UpstreamApi } from "./upstream-api.ts";

/** How a simulator is started. */
export interface SimulatorOptions {
  /** 0, the default, picks a free port. */
  readonly port?: number;
  /** `127.0.0.1` unless told otherwise. */
  readonly hostname?: string;
  /** The only keys let in; every key when absent. */
  readonly apiKeys?: readonly string[];
  /** Attempts remembered, 200,000 unless told otherwise. */
  readonly attemptsMax?: number;
  /** Longest request body kept with its attempt, in bytes, 256 KiB unless told otherwise. */
  readonly keptBodyBytesMax?: number;
  readonly clock?: Clock;
}

/** A running simulator of Anthropic's Messages API. */
export interface Simulator {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Attempts remembered, oldest first; with `since` those after that sequence. */
  attempts(since?: number): readonly Attempt[];
  stats(): SimulatorStats;
  /** Forgets attempts, bill and plans. Attempts in flight go on and stay counted as such. */
  reset(): void;
  /**
   * Sets what happens to coming Messages and count_tokens requests that do not bring their own plan.
   *
   * @throws PlanError when a plan cannot be followed.
   */
  plan(plan: Plan | readonly Plan[], target?: PlanTarget): void;
  /** Closes the listener and every connection. */
  stop(): Promise<void>;
}

/** Request id of answers that belong to no attempt. */
const NO_ATTEMPT = "req_sim_0";

/**
 * Starts an upstream that answers as planned, on a TCP socket of its own.
 *
 * It is no `Bun.serve`, which sends no response head before the first byte of the body and so cannot
 * fall silent after the headers, and has no way to break framing or to reset a connection.
 * Rejects with the socket's error when the address cannot be listened on.
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const {
    port = 0,
    hostname = "127.0.0.1",
    apiKeys,
    attemptsMax,
    keptBodyBytesMax,
    clock = systemClock,
  } = options;
  const log = new AttemptLog(clock, { attemptsMax, bodyBytesMax: keptBodyBytesMax });
  const plans = new PlanBook();
  const heads = new HeadWriter(clock);
  const connections = new Set<Connection>();
  const stats = (): SimulatorStats => ({
    ...log.traffic(),
    openSockets: connections.size,
    bill: log.bill(),
  });
  const reset = (): void => {
    log.reset();
    plans.clear();
  };
  const upstream = new UpstreamApi({ log, plans, heads, apiKeys: apiKeys && new Set(apiKeys) });
  const control = new ControlApi({ log, plans, stats, reset });
  const responder = responderOf(upstream, control, heads);
  const listener = listen(
    { hostname, port },
    connections,
    (socket) => new Connection(socket, responder, log),
  );
  return {
    url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${listener.port}`,
    port: listener.port,
    attempts: (since = 0) => log.since(since, Number.POSITIVE_INFINITY).map(attemptOf),
    stats,
    reset,
    plan: (plan, target = {}) => plans.add((Array.isArray(plan) ? plan : [plan]).map(readPlan), target),
    stop: async () => {
      listener.stop();
      for (const connection of [...connections]) connection.terminate();
    },
  };
}

function responderOf(upstream: UpstreamApi, control: ControlApi, heads: HeadWriter): Responder {
  const refuse = (refusal: Refusal, keepAlive: boolean) =>
    exchangeOf(textReply(refusal.status, errorEnvelope(refusal, NO_ATTEMPT)), {
      heads,
      requestId: NO_ATTEMPT,
      keepAlive,
    });
  const obey = (request: IncomingRequest) => {
    const { keepAlive } = request.head;
    try {
      return exchangeOf(control.obey(request), { heads, requestId: NO_ATTEMPT, keepAlive });
    } catch (thrown) {
      if (thrown instanceof Refusal) return refuse(thrown, keepAlive);
      throw thrown;
    }
  };
  return {
    respond: (request) =>
      request.head.path.startsWith(CONTROL_PREFIX) ? obey(request) : upstream.respond(request),
    refuse: (refusal) => lingering(refuse(refusal, false)),
  };
}

interface Address {
  readonly hostname: string;
  readonly port: number;
}

function listen(
  { hostname, port }: Address,
  connections: Set<Connection>,
  connect: (socket: Bun.Socket<Connection>) => Connection,
): Bun.TCPSocketListener<Connection> {
  return Bun.listen<Connection>({
    hostname,
    port,
    exclusive: true,
    socket: {
      open(socket) {
        socket.data = connect(socket);
        connections.add(socket.data);
      },
      data: ({ data: connection }, bytes) => connection.received(bytes),
      drain: ({ data: connection }) => connection.drained(),
      close({ data: connection }) {
        connections.delete(connection);
        connection.closed();
      },
    },
  });
}
