import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backend, WireServer } from "#storage/engines/wire-server.ts";

/** Long enough for a test that goes on, short enough for the one that waits for it. */
const TURN_IDLE_MS_MAX = 500;

const PARSE = "P";
const SYNC = "S";
const QUERY = "Q";

function message(type: string, text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const STARTUP = Buffer.from([0, 0, 0, 9, 0, 3, 0, 0, 0]);
const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);

/** Keeps what it was given to run, and is in a transaction between `begin` and `commit` or `rollback`. */
class RecordingBackend implements Backend {
  readonly ran: string[] = [];
  #isInTransaction = false;

  async run(messages: Uint8Array): Promise<Uint8Array> {
    await Bun.sleep(0);
    const buffer = Buffer.from(messages);
    for (let at = 0; at < buffer.length && buffer[0] !== 0; at += 1 + buffer.readInt32BE(at + 1)) {
      const end = at + 1 + buffer.readInt32BE(at + 1);
      const text = buffer.toString("latin1", at + 5, Math.max(at + 5, end - 1));
      this.ran.push(`${String.fromCharCode(buffer[at] ?? 0)} ${text}`.trim());
      if (text === "begin") this.#isInTransaction = true;
      if (text === "commit" || text === "rollback") this.#isInTransaction = false;
    }
    return Buffer.from("ok");
  }

  isInTransaction(): boolean {
    return this.#isInTransaction;
  }
}

let dir: string;
let backend: RecordingBackend;
let server: WireServer;
let sockets: Socket[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-test-"));
  backend = new RecordingBackend();
  server = new WireServer(backend, TURN_IDLE_MS_MAX);
  sockets = [];
  await server.listen(join(dir, "socket"));
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

async function newClient(): Promise<Socket> {
  const socket = connect(join(dir, "socket"));
  sockets.push(socket);
  await new Promise((resolve) => socket.once("connect", resolve));
  await sendAndWait(socket, STARTUP);
  return socket;
}

async function sendAndWait(socket: Socket, bytes: Uint8Array): Promise<string> {
  const answer = new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
  socket.write(bytes);
  return await answer;
}

/** Waits until the backend has run something, for at most the test's own limit. */
async function ran(text: string): Promise<void> {
  while (!backend.ran.includes(text)) await Bun.sleep(1);
}

test("a client that is in the middle of a cycle is not interrupted", async () => {
  const [a, b] = [await newClient(), await newClient()];
  await sendAndWait(a, message(PARSE, "a1"));
  const answered = sendAndWait(b, message(QUERY, "b"));
  await sendAndWait(a, message(PARSE, "a2"));
  await sendAndWait(a, message(SYNC, ""));
  await answered;
  expect(backend.ran).toEqual(["P a1", "P a2", "S", "Q b"]);
});

test("a transaction keeps the others waiting until it ends", async () => {
  const [a, b] = [await newClient(), await newClient()];
  await sendAndWait(a, message(QUERY, "begin"));
  const answered = sendAndWait(b, message(QUERY, "b"));
  await sendAndWait(a, message(QUERY, "a"));
  await sendAndWait(a, message(QUERY, "commit"));
  await answered;
  expect(backend.ran).toEqual(["Q begin", "Q a", "Q commit", "Q b"]);
});

test.each([
  ["hangs up", (socket: Socket) => socket.destroy()],
  ["goes silent", () => undefined],
  ["says goodbye", (socket: Socket) => socket.write(TERMINATE)],
  ["stops speaking the protocol", (socket: Socket) => socket.write(Buffer.from("GET / HTTP/1.1\r\n\r\n"))],
])("a client that %s in a transaction is rolled back and the next one runs", async (_name, leave) => {
  const [a, b] = [await newClient(), await newClient()];
  await sendAndWait(a, message(QUERY, "begin"));
  const answered = sendAndWait(b, message(QUERY, "b"));
  leave(a);
  await answered;
  expect(backend.ran).toEqual(["Q begin", "S", "Q rollback", "Q b"]);
});

test("messages that arrive in pieces or all at once are run whole and in order", async () => {
  const client = await newClient();
  const bytes = Buffer.concat([
    message(QUERY, "one"),
    message(PARSE, "two"),
    message(SYNC, ""),
    message(QUERY, "three"),
  ]);
  for (const byte of bytes.subarray(0, 12)) client.write(Buffer.from([byte]));
  client.write(bytes.subarray(12));
  await ran("Q three");
  expect(backend.ran).toEqual(["Q one", "P two", "S", "Q three"]);
});

test("a request for encryption is declined and a cancel request hung up on", async () => {
  const encrypted = connect(join(dir, "socket"));
  sockets.push(encrypted);
  expect(await sendAndWait(encrypted, Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]))).toBe("N");
  expect(await sendAndWait(encrypted, STARTUP)).toBe("ok");
  const cancelling = connect(join(dir, "socket"));
  sockets.push(cancelling);
  const closed = new Promise((resolve) => cancelling.once("close", resolve));
  cancelling.write(Buffer.from([0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 0, 0, 0, 0, 0]));
  await closed;
  expect(backend.ran).toEqual([]);
});
