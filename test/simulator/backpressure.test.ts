import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import { ask, eventually, messageBody, post } from "./raw-client.ts";

const MIB = 1024 * 1024;
/** What the kernel buffers on loopback, with room to spare; the simulator itself adds one write. */
const AHEAD_BYTES_MAX = 32 * MIB;

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.stop());

test.each([true, false])(
  "a peer that does not read stops an answer of 200 MB (stream %p)",
  async (stream) => {
    simulator.reset();
    const before = process.memoryUsage().rss;
    const client = ask(simulator, { text_bytes: 1000, events: 200_000 }, stream);
    client.socket.pause();
    await eventually(() => (simulator.attempts()[0]?.bytesSent ?? 0) > MIB);
    const sent = (): number => simulator.attempts()[0]?.bytesSent ?? 0;
    let last = -1;
    while (sent() !== last) {
      last = sent();
      await Bun.sleep(50);
    }
    expect(sent()).toBeLessThan(AHEAD_BYTES_MAX);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 * AHEAD_BYTES_MAX);
    client.leave();
    await eventually(() => simulator.stats().openSockets === 0);
    expect(simulator.attempts()[0]?.outcome).toBe("client_gone");
  },
);

test("a peer that reads slowly still gets every byte", async () => {
  const response = await post(simulator, messageBody({ text_bytes: 4096, events: 5000 }, false));
  let bytes = 0;
  let reads = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    reads += 1;
    if (reads % 20 === 0) await Bun.sleep(1);
  }
  expect(`${bytes}`).toBe(response.headers.get("content-length") ?? "");
  expect(bytes).toBeGreaterThan(4096 * 5000);
});

test("a long answer leaves others their turn", async () => {
  const long = ask(simulator, { text_bytes: 1000, events: 100_000 });
  await long.untilText("message_start");
  const response = await post(simulator, messageBody(undefined, false));
  expect(response.status).toBe(200);
  expect(long.text()).not.toContain("message_stop");
  long.leave();
});
