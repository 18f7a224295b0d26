/** The part of a V8 CPU profile (the `.cpuprofile` format) that is read here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Id of the node that each sample found at the top. */
  readonly samples: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

/**
 * How many samples found a function running itself, how many found it anywhere on the stack, and how many found the
 * runtime at work that it had called, by the name of what it had called last.
 */
export interface FunctionSamples {
  readonly name: string;
  readonly file: string;
  self: number;
  total: number;
  readonly runtime: Map<string, number>;
}

/** What is not the house's and no package's. */
export const RUNTIME = "runtime";

/** Adds samples up by function, the one with the most of its own first. */
export function samplesByFunction({ nodes, samples }: CpuProfile): readonly FunctionSamples[] {
  const byId = new Map(nodes.map((node) => [node.id, node] as const));
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const functions = new Map<string, FunctionSamples>();
  const functionOf = ({ callFrame }: ProfileNode): FunctionSamples => {
    const { functionName: name, url } = callFrame;
    const file = shortFile(url);
    const known = functions.get(`${name} ${file}`);
    if (known !== undefined) return known;
    const shown = name === "" ? "(anonymous)" : name;
    const fresh: FunctionSamples = { name: shown, file, self: 0, total: 0, runtime: new Map() };
    functions.set(`${name} ${file}`, fresh);
    return fresh;
  };
  for (const sample of samples) {
    const stack: FunctionSamples[] = [];
    for (let node = byId.get(sample); node !== undefined; node = byId.get(parents.get(node.id) ?? -1)) {
      stack.push(functionOf(node));
    }
    const [top] = stack;
    if (top === undefined) continue;
    top.self += 1;
    const caller = stack.find(({ file }) => file !== RUNTIME);
    if (caller !== top) caller?.runtime.set(top.name, (caller.runtime.get(top.name) ?? 0) + 1);
    for (const found of new Set(stack)) found.total += 1;
  }
  return [...functions.values()].sort((a, b) => b.self - a.self);
}

/** Where a function lives: a file of the house, a package, or the runtime. */
function shortFile(url: string): string {
  const inPackage = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  if (inPackage !== undefined) return inPackage;
  const own = /\/((?:src|workers)\/.*)$/.exec(url)?.[1];
  if (own !== undefined) return own;
  return url === "" ? RUNTIME : (url.split("/").at(-1) ?? url);
}
