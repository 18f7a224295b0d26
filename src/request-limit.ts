import { dlopen, FFIType, ptr } from "bun:ffi";
import { C_LIBRARY } from "./c-library.ts";

/** The variable by which Bun is told how many upstream requests may run at once; read when Bun starts. */
const REQUEST_LIMIT_VARIABLE = "BUN_CONFIG_MAX_HTTP_REQUESTS";

/** What Bun allows when the variable is missing or out of its range, and the most it can be told. */
const LIMIT_UNSET = 256;
const LIMIT_MAX = 65_535;

type Env = Readonly<Record<string, string | undefined>>;

/** How many upstream requests Bun lets this process run at once. */
export function requestLimit(env: Env): number {
  const limit = Number(env[REQUEST_LIMIT_VARIABLE]);
  return Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX ? limit : LIMIT_UNSET;
}

/**
 * Makes sure that Bun does not hold back upstream requests beyond 256: when the variable is not set, sets it
 * and executes this very program again in the same process, so that signals, standard streams and the
 * process id stay as they are. Returns only where that is not needed or not possible; then readiness tells.
 */
export function raiseRequestLimit(env: Env): void {
  if (env[REQUEST_LIMIT_VARIABLE] !== undefined) return;
  try {
    executeAgain();
  } catch {
    // No C library under a known name: the gateway runs with Bun's own limit.
  }
}

function executeAgain(): void {
  const { symbols } = dlopen(C_LIBRARY, {
    setenv: { args: [FFIType.cstring, FFIType.cstring, FFIType.int], returns: FFIType.int },
    execv: { args: [FFIType.cstring, FFIType.ptr], returns: FFIType.int },
  });
  const terminated = (text: string): Buffer => Buffer.from(`${text}\0`);
  const program = terminated(process.execPath);
  const args = [program, ...[...process.execArgv, ...process.argv.slice(1)].map(terminated)];
  const table = new BigUint64Array(args.length + 1);
  for (const [index, arg] of args.entries()) table[index] = BigInt(ptr(arg));
  symbols.setenv(terminated(REQUEST_LIMIT_VARIABLE), terminated(String(LIMIT_MAX)), 1);
  symbols.execv(program, ptr(table));
}
