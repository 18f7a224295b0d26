import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually } from "#support/gateway.ts";
import type { RawClient } from "../../simulator/raw-client.ts";
import { CLIENT_FAULTS } from "./client-faults.ts";
import { type ClientStage, openClientStage, openFiles } from "./client-stage.ts";

/** Connections that say nothing. Each takes a descriptor here and one there. */
const IDLE_CONNECTIONS = process.env["FAULTS"] === "full" ? 10_000 : 1_000;

let stage: ClientStage;

beforeAll(async () => {
  stage = await openClientStage();
}, 60_000);

afterAll(async () => {
  await stage.close();
});

for (const fault of CLIENT_FAULTS) {
  test(`a client that misbehaves harms nobody else and leaves nothing behind: ${fault.name}`, async () => {
    const tenant = await stage.tenant([{}]);
    await fault.run(stage, tenant);
    await stage.isAlive();
    await stage.isAtRest(tenant);
  }, 70_000);
}

test(`${IDLE_CONNECTIONS} connections that say nothing keep nobody out, and their descriptors come back`, async () => {
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
  const tenant = await stage.tenant([{}]);
  await stage.isAtRest(tenant);
  // Kept connections to the upstream come and go.
  expect(openFiles(stage.gateway.pid) - before).toBeLessThan(70);
}, 60_000);
