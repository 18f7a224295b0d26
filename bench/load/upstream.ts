import { parseArgs } from "node:util";
import { startSimulator } from "#simulator/simulator.ts";
import { SCENARIOS, type Scenario } from "../scenarios.ts";
import { requestBytes } from "./caller.ts";

/**
 * An upstream that is never the bottleneck: it replays what the simulator answers to each scenario, byte for
 * byte, without reading more of a request than where it ends and whether it asks for a stream. Prints its URL.
 */
const { values } = parseArgs({
  options: { port: { type: "string", default: "0" }, cert: { type: "string" }, key: { type: "string" } },
});
const { port, cert, key } = values;
const HEAD_END = "\r\n\r\n";
const STREAM_ASKED = '"stream":true';
/** Where a request says whether it asks for a stream: scenarios say so after the messages. */
const ENDING_BYTES = 512;
const LAST_CHUNK = "0\r\n\r\n";
const NOTHING = Buffer.alloc(0);

interface Reading {
  /** Of a head that has not come to its end. */
  head: Buffer;
  /** Bytes of the body still to come. */
  left: number;
  ending: Buffer;
  unsent: Uint8Array;
}

const whole = await recorded(SCENARIOS.find(({ isStream }) => !isStream));
const stream = await recorded(SCENARIOS.find(({ isStream }) => isStream));
const listener = Bun.listen<Reading>({
  hostname: "127.0.0.1",
  port: Number(port),
  ...(cert === undefined || key === undefined ? {} : { tls: { cert: Bun.file(cert), key: Bun.file(key) } }),
  socket: {
    open: (socket) => {
      socket.data = { head: NOTHING, left: 0, ending: NOTHING, unsent: NOTHING };
    },
    data: received,
    drain: flush,
  },
});
process.stdout.write(
  `${JSON.stringify({ url: `${cert === undefined ? "http" : "https"}://127.0.0.1:${listener.port}` })}\n`,
);

function received(socket: Bun.Socket<Reading>, bytes: Buffer): void {
  const reading = socket.data;
  if (reading.left > 0) {
    took(socket, bytes);
    return;
  }
  const head = reading.head.length === 0 ? bytes : Buffer.concat([reading.head, bytes]);
  const end = head.indexOf(HEAD_END);
  reading.head = end === -1 ? Buffer.from(head) : NOTHING;
  if (end === -1) return;
  const words = head.toString("latin1", 0, end);
  // Where a proxy streams the body on chunked, the last chunk is its end.
  const isChunked = /transfer-encoding: *chunked/i.test(words);
  reading.left = isChunked
    ? Number.POSITIVE_INFINITY
    : Number(/content-length: *(\d+)/i.exec(words)?.[1] ?? 0);
  took(socket, head.subarray(end + HEAD_END.length));
}

function took(socket: Bun.Socket<Reading>, bytes: Buffer): void {
  const reading = socket.data;
  const ending = bytes.length >= ENDING_BYTES ? bytes : Buffer.concat([reading.ending, bytes]);
  // A copy: the socket's buffer is used again for what comes next.
  reading.ending = Buffer.from(ending.subarray(-ENDING_BYTES));
  const isChunkedEnd = reading.left === Number.POSITIVE_INFINITY && reading.ending.includes(LAST_CHUNK);
  reading.left = isChunkedEnd ? 0 : reading.left - bytes.length;
  if (reading.left > 0) return;
  reading.unsent = reading.ending.includes(STREAM_ASKED) ? stream : whole;
  reading.ending = NOTHING;
  flush(socket);
}

function flush(socket: Bun.Socket<Reading>): void {
  const { unsent } = socket.data;
  if (unsent.length === 0) return;
  socket.data.unsent = unsent.subarray(Math.max(0, socket.write(unsent)));
}

/** The simulator's answer as it goes over the wire. */
async function recorded(scenario: Scenario | undefined): Promise<Buffer> {
  if (scenario === undefined) throw new Error("there is a scenario of each kind");
  const simulator = await startSimulator();
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  let answer = NOTHING;
  const isComplete = (): boolean =>
    scenario.isStream ? answer.includes(`\r\n${LAST_CHUNK}`) : answer.includes('"usage"');
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: simulator.port,
    socket: {
      data: (_, bytes) => {
        answer = Buffer.concat([answer, bytes]);
        if (isComplete()) resolve(answer);
      },
    },
  });
  const headers = { "x-api-key": "bench", "anthropic-version": "2023-06-01" };
  socket.write(requestBytes({ url: `${simulator.url}/v1/messages`, headers, body: scenario.body }));
  const bytes = await promise;
  socket.terminate();
  await simulator.stop();
  return bytes;
}
