import { expect, test } from "bun:test";
import { samplesByFunction } from "../../bench/profile/cpu-profile.ts";

const frame = (functionName: string, url: string) => ({ functionName, url });

test("own samples and samples on the stack are told apart, a function that calls itself counted once", () => {
  const functions = samplesByFunction({
    nodes: [
      { id: 1, callFrame: frame("(root)", ""), children: [2] },
      { id: 2, callFrame: frame("relay", "file:///x/src/gateway/pipeline.ts"), children: [3] },
      { id: 3, callFrame: frame("relay", "file:///x/src/gateway/pipeline.ts"), children: [4] },
      { id: 4, callFrame: frame("parse", "file:///x/node_modules/@scope/pack/dist/a.js") },
    ],
    samples: [4, 4, 3, 2],
  });
  expect(functions.map(({ name, file, self, total }) => [name, file, self, total])).toEqual([
    ["parse", "@scope/pack", 2, 2],
    ["relay", "src/gateway/pipeline.ts", 2, 4],
    ["(root)", "runtime", 0, 4],
  ]);
});

test("what the runtime does is told of whoever has called it", () => {
  const functions = samplesByFunction({
    nodes: [
      { id: 1, callFrame: frame("(root)", ""), children: [2, 5] },
      { id: 2, callFrame: frame("send", "file:///x/src/upstream/send.ts"), children: [3] },
      { id: 3, callFrame: frame("fetch", ""), children: [4] },
      { id: 4, callFrame: frame("copy", "") },
      { id: 5, callFrame: frame("turn", "") },
    ],
    samples: [2, 3, 3, 4, 5],
  });
  const called = functions.map(({ name, runtime }) => [name, Object.fromEntries(runtime)]);
  expect(called.filter(([name]) => name === "send")).toEqual([["send", { fetch: 2, copy: 1 }]]);
  expect(called.filter(([name]) => name === "turn" || name === "fetch")).toEqual([
    ["fetch", {}],
    ["turn", {}],
  ]);
});
