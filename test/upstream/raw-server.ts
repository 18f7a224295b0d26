import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";

/** A server that shows what `Bun.serve` hides: connections, and what happens to each of them. */
export interface RawServer extends AsyncDisposable {
  readonly port: number;
  readonly connections: () => number;
  /** Every request that arrived whole, as text. */
  readonly requests: readonly string[];
  /** What was agreed on by ALPN, once per connection with TLS. */
  readonly protocols: readonly (string | false | null)[];
}

type React = (socket: Socket, requestIndex: number) => void;

export const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

export const answerOk: React = (socket) => {
  socket.write(OK);
};

/** Calls `react` once per request head. Requests in these tests fit into one read. */
export async function openRawServer(react: React, host = "127.0.0.1"): Promise<RawServer> {
  const { onConnection, ...seen } = observe(react);
  return await listening(createServer(onConnection), host, seen);
}

/** The same behind TLS, with a certificate from `test/fixtures/tls`. */
export async function openTlsServer(
  certificate: string,
  react: React,
  protocols = ["http/1.1"],
): Promise<RawServer> {
  const folder = `${import.meta.dir}/../fixtures/tls`;
  const [cert, key] = await Promise.all([
    Bun.file(`${folder}/${certificate}.pem`).text(),
    Bun.file(`${folder}/${certificate}.key`).text(),
  ]);
  const { onConnection, ...seen } = observe(react);
  const server = createTlsServer({ cert, key, ALPNProtocols: protocols }, onConnection);
  server.on("tlsClientError", () => {});
  return await listening(server, "127.0.0.1", seen);
}

function observe(react: React) {
  const requests: string[] = [];
  const protocols: (string | false | null)[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const onConnection = (socket: Socket): void => {
    connections++;
    sockets.add(socket);
    if (socket instanceof TLSSocket) protocols.push(socket.alpnProtocol);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      requests.push(bytes.toString("latin1"));
      react(socket, requests.length - 1);
    });
  };
  return { onConnection, requests, protocols, sockets, connections: () => connections };
}

interface Seen {
  readonly requests: readonly string[];
  readonly protocols: RawServer["protocols"];
  readonly sockets: ReadonlySet<Socket>;
  readonly connections: () => number;
}

async function listening(server: Server, host: string, seen: Seen): Promise<RawServer> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  return {
    port: address.port,
    connections: seen.connections,
    requests: seen.requests,
    protocols: seen.protocols,
    [Symbol.asyncDispose]: async () => {
      for (const socket of seen.sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
