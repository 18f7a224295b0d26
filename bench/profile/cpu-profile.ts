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

/** How many samples found a function running itself, and how many found it anywhere on the stack. */
export interface FunctionSamples {
  readonly name: string;
  readonly file: string;
  self: number;
  total: number;
}

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
    const fresh: FunctionSamples = { name: name === "" ? "(anonymous)" : name, file, self: 0, total: 0 };
    functions.set(`${name} ${file}`, fresh);
    return fresh;
  };
  for (const sample of samples) {
    const seen = new Set<FunctionSamples>();
    let node = byId.get(sample);
    if (node !== undefined) functionOf(node).self += 1;
    while (node !== undefined) {
      seen.add(functionOf(node));
      node = byId.get(parents.get(node.id) ?? -1);
    }
    for (const found of seen) found.total += 1;
  }
  return [...functions.values()].sort((a, b) => b.self - a.self);
}

/** Where a function lives: a file of the house, a package, or the runtime. */
function shortFile(url: string): string {
  const inPackage = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  if (inPackage !== undefined) return inPackage;
  const own = /\/((?:src|workers)\/.*)$/.exec(url)?.[1];
  if (own !== undefined) return own;
  return url === "" ? "runtime" : (url.split("/").at(-1) ?? url);
}
