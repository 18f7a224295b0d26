import { expect, test } from "bun:test";
import type { Fault } from "#kernel/fault.ts";
import { answerOk, openRawServer, openTlsServer } from "./raw-server.ts";
import { openWithNames, post, textOf, thrownBy, unlimited } from "./requests.ts";

/**
 * Certificates in `test/fixtures/tls`, valid until 2126: `ca` signs `one` (one.test), `shared` (one.test
 * and two.test) and `address` (127.0.0.1).
 */
const certificateAuthorities = await Bun.file(`${import.meta.dir}/../fixtures/tls/ca.pem`).text();
const names = { "one.test": ["127.0.0.1"], "two.test": ["127.0.0.1"] };
const open = () => openWithNames(names, { certificateAuthorities });

test("the certificate is checked against the host name although the address is dialled", async () => {
  await using server = await openTlsServer("one", answerOk);
  const upstream = open();
  const response = await upstream.send(post(`https://one.test:${server.port}/`), unlimited);
  expect(await textOf(response)).toBe("ok");
  expect(server.requests[0]).toContain(`Host: one.test:${server.port}\r\n`);
});

test("a certificate for another name is refused before anything is sent", async () => {
  await using server = await openTlsServer("one", answerOk);
  const upstream = open();
  for (const host of ["two.test", "127.0.0.1"]) {
    const thrown = await thrownBy(upstream.send(post(`https://${host}:${server.port}/`), unlimited));
    expect(thrown).toMatchObject({ code: "upstream.connect_failed" });
    expect((thrown as Fault).message).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
    expect((thrown as Fault).isUnprocessed).toBe(true);
  }
  expect(server.requests).toEqual([]);
});

test("a certificate of an unknown authority is refused before anything is sent", async () => {
  await using server = await openTlsServer("one", answerOk);
  const thrown = await thrownBy(
    openWithNames(names).send(post(`https://one.test:${server.port}/`), unlimited),
  );
  expect(thrown).toMatchObject({ code: "upstream.connect_failed" });
  expect((thrown as Fault).isUnprocessed).toBe(true);
  expect(server.requests).toEqual([]);
});

test("an address literal is checked against the addresses in the certificate", async () => {
  await using server = await openTlsServer("address", answerOk);
  const response = await open().send(post(`https://127.0.0.1:${server.port}/`), unlimited);
  expect(await textOf(response)).toBe("ok");
});

test("requests to one host share a TLS connection", async () => {
  await using server = await openTlsServer("one", answerOk);
  const upstream = open();
  for (let index = 0; index < 5; index++) {
    await textOf(await upstream.send(post(`https://one.test:${server.port}/`), unlimited));
  }
  expect([server.connections(), server.requests.length]).toEqual([1, 5]);
});

test("two hosts on one address never share a TLS connection", async () => {
  await using server = await openTlsServer("shared", answerOk);
  const upstream = open();
  for (const host of ["one.test", "two.test", "one.test", "two.test"]) {
    await textOf(await upstream.send(post(`https://${host}:${server.port}/`), unlimited));
  }
  expect([server.connections(), server.requests.length]).toEqual([2, 4]);
});

test("a connection proved for one host is not lent to a host its certificate does not name", async () => {
  await using server = await openTlsServer("one", answerOk);
  const upstream = open();
  await textOf(await upstream.send(post(`https://one.test:${server.port}/`), unlimited));
  const thrown = await thrownBy(upstream.send(post(`https://two.test:${server.port}/`), unlimited));
  expect(thrown).toMatchObject({ code: "upstream.connect_failed" });
  expect(server.requests).toHaveLength(1);
});

test("a host that does not speak TLS is refused before anything is sent", async () => {
  await using server = await openRawServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const thrown = await thrownBy(open().send(post(`https://one.test:${server.port}/`), unlimited));
  expect(thrown).toMatchObject({ code: "upstream.connect_failed" });
  expect((thrown as Fault).isUnprocessed).toBe(true);
});
