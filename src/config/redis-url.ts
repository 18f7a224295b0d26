/** What a connection presents and asks for. */
interface RedisLogin {
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly tls?: Record<string, never>;
}

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is: one server, one that sentinels know of, or a cluster. */
export type RedisTarget = { readonly options: RedisLogin } & (
  | ({ readonly kind: "single" } & Place)
  | { readonly kind: "sentinel"; readonly sentinels: readonly Place[]; readonly primary: string }
  | { readonly kind: "cluster"; readonly seeds: readonly Place[] }
);

const REDIS_PORT = 6_379;
const SENTINEL_PORT = 26_379;

/**
 * Reads `REDIS_URL`:
 *
 * - `redis://user:password@host:port/database`, or `rediss://` with TLS;
 * - `redis+sentinel://user:password@host:port,host:port/primary/database`, or `rediss+sentinel://`;
 * - `redis+cluster://user:password@host:port,host:port`, or `rediss+cluster://`.
 *
 * @throws Error with a sentence that does not hold the password.
 */
export function readRedisUrl(url: string): RedisTarget {
  const [, scheme = "", credentials, hosts = "", path = ""] =
    /^(rediss?(?:\+sentinel|\+cluster)?):\/\/(?:([^@/]*)@)?([^/?#]+)(?:\/([^?#]*))?$/.exec(url) ?? [];
  const [security, kind = "single"] = scheme.split("+");
  const segments = path.split("/").filter((segment) => segment !== "");
  const options = { ...credentialsOf(credentials), ...(security === "rediss" ? { tls: {} } : {}) };
  const places = hosts
    .split(",")
    .map((host) => placeOf(host, kind === "sentinel" ? SENTINEL_PORT : REDIS_PORT));
  const [first] = places;
  if (scheme === "" || first === undefined) throw new Error("is not a Redis URL");
  if (kind === "cluster" && segments.length === 0) return { kind, seeds: places, options };
  if (kind === "sentinel" && segments.length > 0 && segments.length <= 2) {
    const [primary = "", database] = segments;
    return { kind, sentinels: places, primary, options: { ...options, ...databaseOf(database) } };
  }
  if (kind === "single" && places.length === 1 && segments.length <= 1) {
    return { kind, ...first, options: { ...options, ...databaseOf(segments[0]) } };
  }
  throw new Error("has parts that its form of a Redis URL does not have");
}

function placeOf(text: string, defaultPort: number): Place {
  const [, bracketed, plain, port] = /^(?:\[([\da-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) throw new Error("names a host that is none");
  return { host, port: port === undefined ? defaultPort : Number(port) };
}

function credentialsOf(text: string | undefined): RedisLogin {
  if (text === undefined || text === "") return {};
  const [username = "", ...rest] = text.split(":");
  const password = decodeURIComponent(rest.join(":"));
  return { ...(username === "" ? {} : { username: decodeURIComponent(username) }), password };
}

function databaseOf(text: string | undefined): RedisLogin {
  if (text === undefined) return {};
  if (!/^\d+$/.test(text)) throw new Error("names a database that is no number");
  return { db: Number(text) };
}
