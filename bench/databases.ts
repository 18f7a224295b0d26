/** A database of its own for one gateway. */
export interface BenchDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

let made = 0;

/** Makes an empty database next to the one that the URL names. */
export async function makeDatabase(serverUrl: string): Promise<BenchDatabase> {
  const name = `sluice_bench_${process.pid}_${++made}`;
  const server = new Bun.SQL(serverUrl, { max: 1 });
  await server.unsafe(`CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      await server.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await server.close();
    },
  };
}
