import { expect, test } from "bun:test";
import { eventually, messageBody } from "./raw-client.ts";

const ENTRY = new URL("../../src/simulator/main.ts", import.meta.url).pathname;

test("the entry prints its address as one line of JSON and ends with code 0 on SIGTERM, even while a request hangs", async () => {
  await using child = Bun.spawn([process.execPath, ENTRY, "--port", "0"], {
    stdout: "pipe",
    stdin: "ignore",
  });
  const { value } = await child.stdout.getReader().read();
  const line = new TextDecoder().decode(value);
  expect(line).toMatch(/^\{"url":"http:\/\/127\.0\.0\.1:\d+"\}\n$/);
  const { url } = JSON.parse(line) as { url: string };

  const headers = { "x-api-key": "z", "anthropic-version": "2023-06-01" };
  const body = messageBody({ fault: { kind: "silence_before_headers" } });
  let hasFailed = false;
  fetch(`${url}/v1/messages`, { method: "POST", headers, body }).catch(() => {
    hasFailed = true;
  });
  const inFlight = async (): Promise<number> => {
    const stats = (await (await fetch(`${url}/_simulator/stats`)).json()) as { in_flight: number };
    return stats.in_flight;
  };
  for (let tries = 0; tries < 500 && (await inFlight()) === 0; tries += 1) await Bun.sleep(2);
  expect(await inFlight()).toBe(1);

  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  await eventually(() => hasFailed);
});
