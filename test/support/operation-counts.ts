/**
 * Loaded into an HTTP thread before its own code: counts what requests ask of the runtime. Asked by name over a
 * channel, it tells its counts and begins anew.
 */
import { edenGC, fullGC, heapStats } from "bun:jsc";
import { COUNTS_CHANNEL, OBJECTS_KEPT, OBJECTS_MADE, type OperationCounts } from "./operation-names.ts";

const counts: Record<string, number> = {};

function count(name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

type Callable = (...args: never[]) => unknown;

/** Replaces a function by one that counts and then does the same. */
function watchCalls<Owner extends object>(
  owner: Owner,
  name: keyof Owner & string,
  as = name as string,
): void {
  const plain = owner[name] as Callable;
  const watched = function (this: unknown, ...args: never[]): unknown {
    count(as);
    return plain.apply(this, args);
  };
  Object.assign(owner, { [name]: Object.assign(watched, plain) });
}

/** Replaces a class by one that counts what is made of it. */
function watchClass(
  name: "Response" | "Headers" | "AbortController" | "ReadableStream" | "TextDecoder",
): void {
  const plain = globalThis[name] as unknown as new (...args: never[]) => object;
  const watched = new Proxy(plain, {
    construct(target, args, newTarget) {
      count(name);
      return Reflect.construct(target, args, newTarget) as object;
    },
  });
  Object.assign(globalThis, { [name]: watched });
}

for (const name of ["Response", "Headers", "AbortController", "ReadableStream", "TextDecoder"] as const) {
  watchClass(name);
}
watchCalls(globalThis, "fetch");
watchCalls(Bun, "connect", "Bun.connect");
watchCalls(globalThis, "setTimeout");
watchCalls(globalThis, "setInterval");
watchCalls(JSON, "parse", "JSON.parse");
watchCalls(Promise, "withResolvers", "Promise.withResolvers");
watchCalls(MessagePort.prototype, "postMessage");

const channel = new BroadcastChannel(COUNTS_CHANNEL);
channel.onmessage = ({ data }) => {
  if (data !== "tell") return;
  const made = objects() - objectsBefore;
  edenGC();
  const kept = objects() - objectsBefore;
  channel.postMessage({
    ...counts,
    [OBJECTS_MADE]: made,
    [OBJECTS_KEPT]: kept,
  } satisfies OperationCounts);
  for (const name of Object.keys(counts)) delete counts[name];
  fullGC();
  objectsBefore = objects();
};

/** How many objects there are on this thread's heap, those that nobody needs any more included. */
function objects(): number {
  return Object.values(heapStats().objectTypeCounts).reduce((sum, count) => sum + count, 0);
}
let objectsBefore = objects();
