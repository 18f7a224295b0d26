import type { Socket } from "bun";

/** A way to a database server that can be cut and mended. */
export interface CuttableProxy {
  /** The database's URL, by way of the proxy. */
  readonly url: string;
  /** Ends every connection and refuses new ones. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

interface Pair {
  peer: Socket<Pair> | undefined;
  /** What came before the other side was there. */
  early: Uint8Array[];
}

/** Opens a proxy on a free port to the server that a database URL names. */
export async function openCuttableProxy(databaseUrl: string): Promise<CuttableProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket<Pair>>();
  let isCut = false;
  const forward = (socket: Socket<Pair>, bytes: Uint8Array): void => {
    const { peer, early } = socket.data;
    if (peer === undefined) early.push(bytes.slice());
    else peer.write(bytes);
  };
  const end = (socket: Socket<Pair>): void => {
    sockets.delete(socket);
    socket.data.peer?.end();
  };
  const listener = Bun.listen<Pair>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (client) => {
        client.data = { peer: undefined, early: [] };
        if (isCut) return void client.terminate();
        sockets.add(client);
        void Bun.connect<Pair>({
          hostname: target.hostname,
          port: Number(target.port),
          data: { peer: client, early: [] },
          socket: {
            open: (server) => {
              sockets.add(server);
              client.data.peer = server;
              for (const bytes of client.data.early.splice(0)) server.write(bytes);
            },
            data: forward,
            close: end,
          },
        });
      },
      data: forward,
      close: end,
    },
  });
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${listener.port}`;
  return {
    url: url.href,
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.terminate();
      sockets.clear();
    },
    mend: () => {
      isCut = false;
    },
    close: async () => listener.stop(true),
  };
}
