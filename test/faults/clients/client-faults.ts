import { expect } from "bun:test";
import { judge } from "#support/event-stream.ts";
import { eventually, type Tenant } from "#support/gateway.ts";
import type { RawClient } from "../../simulator/raw-client.ts";
import { isFull } from "../section.ts";
import { type ClientStage, openFiles } from "./client-stage.ts";

/** One way in which a client misbehaves. */
export interface ClientFault {
  readonly name: string;
  /** It takes most of a minute, and is left to the full profile. */
  readonly isSlow?: true;
  /** The best there is, where it is less than {@link Verdict} `pass`. */
  readonly best?: "safe";
  /** Misbehaves, and throws when the gateway's answer, the upstream's view or the bill is wrong. */
  run(stage: ClientStage, tenant: Tenant): Promise<void>;
}

const STREAM = { events: 6, event_interval_ms: 15, usage: { input_tokens: 11, output_tokens: 222 } };
/** Events of such a stream: the start, a ping, a block's start, six deltas, its stop, the delta, the stop. */
const STREAM_EVENTS = 12;

/** The events that have come so far. */
const eventsIn = (client: RawClient): number => client.text().split("\n\n").length - 1;

/** The status line's code; 0 without one. */
const statusOf = (client: RawClient): number => Number(/^HTTP\/1\.1 (\d+)/.exec(client.text())?.[1] ?? 0);

/** The body of an answer that came in chunks. */
function bodyOf(client: RawClient): string {
  const bytes = client.bytes();
  let at = bytes.indexOf("\r\n\r\n") + 4;
  const parts: Buffer[] = [];
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (!(size > 0)) return Buffer.concat(parts).toString();
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

/** The upstream's only call ended like this, and the client is billed what the upstream bills. */
async function expectBilled(
  { rows, attempts }: ClientStage,
  tenant: Tenant,
  statuses: readonly string[],
): Promise<void> {
  const [row] = await rows(tenant, 1);
  const [attempt, ...more] = attempts(tenant);
  expect(more).toEqual([]);
  expect(attempt?.outcome).toBe("completed");
  expect(statuses).toContain(row?.status ?? "none");
  expect([row?.input_tokens, row?.output_tokens]).toEqual([
    attempt?.usage.input_tokens,
    attempt?.usage.output_tokens,
  ]);
}

/** Leaves once so many events have come. */
function leavesAfter(events: number): ClientFault {
  return {
    name: `leaves after event ${events} of ${STREAM_EVENTS}`,
    run: async (stage, tenant) => {
      const client = stage.connect();
      client.send(stage.request(tenant, { plan: STREAM }));
      await client.until(() => eventsIn(client) >= events);
      client.leave();
      // The rest may have come while the client made up its mind.
      await expectBilled(stage, tenant, ["client_gone", "completed"]);
    },
  };
}

/** Sends bytes that are refused, and sees a refusal of this status; nothing reaches the upstream. */
function isRefused(
  name: string,
  bytes: (stage: ClientStage, tenant: Tenant) => string,
  statuses: readonly number[],
): ClientFault {
  return {
    name,
    run: async (stage, tenant) => {
      const client = stage.connect();
      client.send(bytes(stage, tenant));
      await client.until(() => client.ending !== undefined || statusOf(client) > 0);
      expect(statuses).toContain(statusOf(client));
      expect(stage.attempts(tenant)).toEqual([]);
      client.leave();
    },
  };
}

const FAULTS_OF_TIME: readonly ClientFault[] = [
  {
    name: "leaves before the answer's head: the upstream's call is ended at once",
    run: async (stage, tenant) => {
      const client = stage.connect();
      client.send(stage.request(tenant, { plan: { fault: { kind: "silence_before_headers" } } }));
      await eventually(
        () => stage.attempts(tenant).length,
        (count) => count === 1,
      );
      client.leave();
      const [row] = await stage.rows(tenant, 1);
      expect(row).toMatchObject({ status: "client_gone", input_tokens: 0, output_tokens: 0 });
      // Its plan was silence, so "stalled" says that the connection to it was closed.
      await eventually(
        () => stage.attempts(tenant).map(({ outcome }) => outcome),
        (outcomes) => outcomes.join() === "stalled",
        1_000,
      );
    },
  },
  {
    name: "closes its half of the connection after the request: it counts as gone",
    best: "safe",
    run: async (stage, tenant) => {
      const client = stage.connect();
      client.send(stage.request(tenant, { plan: { ...STREAM, delay_ms: 100 } }));
      client.socket.end();
      await client.untilClosed();
      expect(statusOf(client) === 0 || judge(bodyOf(client)) === "whole").toBe(true);
    },
  },
  {
    name: "closes its half in the middle of the stream",
    best: "safe",
    run: async (stage, tenant) => {
      const client = stage.connect();
      client.send(stage.request(tenant, { plan: STREAM }));
      await client.until(() => eventsIn(client) >= 4);
      client.socket.end();
      await client.untilClosed();
      const [row] = await stage.rows(tenant, 1);
      expect(row?.input_tokens).toBe(11);
    },
  },
  {
    name: "reads 1 kB a second: it gets all of it",
    run: async (stage, tenant) => {
      const client = stage.connect();
      client.send(stage.request(tenant, { plan: { events: 4, text_bytes: 500 } }));
      for (let second = 0; second < 3; second++) {
        client.socket.pause();
        await Bun.sleep(900);
        client.socket.resume();
        await Bun.sleep(100);
      }
      await client.untilText("message_stop");
      expect(judge(bodyOf(client))).toBe("whole");
      client.leave();
    },
  },
  {
    name: "does not read 20 MB: it counts as gone in time, is not shown a whole answer, and the upstream is let go",
    run: async (stage, tenant) => {
      const client = stage.connect();
      client.send(stage.request(tenant, { plan: { events: 2_000, text_bytes: 10_000 } }));
      await client.until(() => eventsIn(client) >= 1);
      client.socket.pause();
      const [row] = await stage.rows(tenant, 1);
      expect(row?.status).toBe("client_gone");
      client.socket.resume();
      await client.until(() => client.ending !== undefined || client.text().endsWith("0\r\n\r\n"));
      expect(judge(bodyOf(client))).toBe("error");
      client.leave();
    },
  },
  {
    name: "does not read 20 MB and never will: its socket is not held for ever",
    isSlow: true,
    run: async (stage, tenant) => {
      const client = stage.connect();
      client.send(stage.request(tenant, { plan: { events: 2_000, text_bytes: 10_000 } }));
      await client.until(() => eventsIn(client) >= 1);
      client.socket.pause();
      await eventually(
        () => stage.clientSockets(),
        (count) => count === 0,
        50_000,
      );
      client.leave();
    },
  },
  {
    name: "sends its request byte by byte: it is served",
    run: async (stage, tenant) => {
      const client = stage.connect();
      for (const byte of stage.request(tenant, { plan: STREAM })) {
        client.send(byte);
        await Bun.sleep(0);
      }
      await client.untilText("message_stop");
      client.leave();
      await expectBilled(stage, tenant, ["completed"]);
    },
  },
  {
    name: "sends less than it has declared and waits: it is refused in time",
    run: async (stage, tenant) => {
      const client = stage.connect();
      client.send(stage.request(tenant, { headers: { "Content-Length": "5000" } }));
      await client.untilClosed();
      expect(statusOf(client)).toBe(400);
      expect(client.text()).toContain('"type":"error"');
      expect(stage.attempts(tenant)).toEqual([]);
    },
  },
  {
    name: "sends less than it has declared and closes its half",
    run: async (stage, tenant) => {
      const client = stage.connect();
      client.send(stage.request(tenant, { headers: { "Content-Length": "5000" } }));
      client.socket.end();
      await client.untilClosed();
      expect(stage.attempts(tenant)).toEqual([]);
    },
  },
  ...[1_000, 2_000_000].map((bytes) => ({
    name: `drops the connection after ${bytes} of 3,000,000 bytes of its upload`,
    run: async (stage: ClientStage, tenant: Tenant) => {
      const client = stage.connect();
      client.send(
        stage.request(tenant, { headers: { "Content-Length": "3000000" }, body: "x".repeat(bytes) }),
      );
      await Bun.sleep(100);
      client.socket.resetAndDestroy();
      expect(stage.attempts(tenant)).toEqual([]);
    },
  })),
  {
    name: "sends two requests at once: none is answered in part, and what the upstream has done is billed",
    best: "safe",
    run: async (stage, tenant) => {
      const client = stage.connect();
      const request = stage.request(tenant, { plan: { delay_ms: 100 }, stream: false });
      client.send(request + request);
      await client.until(() => client.ending !== undefined || client.text().split("stop_reason").length > 2);
      client.leave();
      const served = client.text().split("HTTP/1.1 200").length - 1;
      expect(client.text().split('"stop_reason"').length - 1).toBe(served);
      const rows = await stage.rows(tenant, 0);
      const answered = stage.attempts(tenant).filter(({ usage }) => usage.output_tokens > 0);
      expect(rows.filter((row) => row.output_tokens > 0)).toHaveLength(answered.length);
    },
  },
];

/** Connections that say nothing. Each takes a descriptor here and one there. */
const IDLE_CONNECTIONS = isFull() ? 10_000 : 1_000;
/** Most descriptors that may be open besides: kept connections to the upstream come and go. */
const FILES_MORE_MAX = 100;
/** How long closing thousands of sockets may take on a busy machine, in milliseconds. */
const CLOSED_MS_MAX = 30_000;

const IDLE: ClientFault = {
  name: "opens thousands of connections and says nothing: nobody is kept out, and the descriptors come back",
  run: async (stage) => {
    const before = openFiles(stage.gateway.pid);
    const clients: RawClient[] = [];
    for (let opened = 0; opened < IDLE_CONNECTIONS; opened++) {
      const client = stage.connect();
      clients.push(client);
      if (opened % 100 === 99) await new Promise((resolve) => client.socket.once("connect", resolve));
    }
    await eventually(
      () => stage.clientSockets(),
      (count) => count === IDLE_CONNECTIONS,
    );
    await stage.isAlive();
    for (const client of clients) client.leave();
    await eventually(
      () => openFiles(stage.gateway.pid) - before,
      (more) => more < FILES_MORE_MAX,
      CLOSED_MS_MAX,
    );
  },
};

const FAULTS_OF_FORM: readonly ClientFault[] = [
  isRefused(
    "a header of 20 kB",
    (stage, tenant) => stage.request(tenant, { headers: { "x-long": "x".repeat(20_000) } }),
    [431],
  ),
  isRefused(
    "500 headers",
    (stage, tenant) =>
      stage.request(tenant, {
        headers: Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x-h${index}`, "1"])),
      }),
    [431],
  ),
  isRefused(
    "two lengths that differ",
    (stage, tenant) => stage.request(tenant).replace("\r\n", "\r\nContent-Length: 3\r\n"),
    [400],
  ),
  isRefused(
    "a length and chunks",
    (stage, tenant) => stage.request(tenant, { headers: { "Transfer-Encoding": "chunked" } }),
    [400],
  ),
  isRefused(
    "its key twice, and they differ",
    (stage, tenant) => stage.request(tenant).replace("\r\n", "\r\nx-api-key: sk-other\r\n"),
    [401],
  ),
  isRefused("no Host", (stage, tenant) => stage.request(tenant).replace("Host: gateway\r\n", ""), [400]),
  ...["a b", "", "a/b", "a@b", "[::1", "\u00e9"].map((host) =>
    isRefused(
      `the Host ${JSON.stringify(host)}`,
      (stage, tenant) => stage.request(tenant, { headers: { Host: host } }),
      [400],
    ),
  ),
  isRefused(
    "two Hosts",
    (stage, tenant) => stage.request(tenant).replace("\r\n", "\r\nHost: other\r\n"),
    [400],
  ),
  isRefused("no HTTP at all", () => "\u0016\u0003\u0001 hello\r\n\r\n", [400]),
];

/** Every one of them, in a fixed order; the slow ones in the full profile only. */
export const CLIENT_FAULTS: readonly ClientFault[] = [
  ...FAULTS_OF_TIME.filter(({ isSlow = false }) => !isSlow || isFull()),
  ...Array.from({ length: STREAM_EVENTS }, (_, index) => leavesAfter(index + 1)),
  ...FAULTS_OF_FORM,
  IDLE,
];

/** Plays one with a tenant of its own; throws when it harms anybody or leaves something behind. */
export async function playClientFault(fault: ClientFault, stage: ClientStage): Promise<void> {
  const tenant = await stage.tenant([{}]);
  await fault.run(stage, tenant);
  await stage.isAlive();
  await stage.isAtRest(tenant);
}
