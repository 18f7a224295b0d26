/** What is kept of requests for whoever asks how they came by their answers. */
import { expect, test } from "bun:test";
import { Choice } from "#accounts/choice.ts";
import { FOUND } from "#accounts/findings.ts";
import type { AccountId } from "#domain/ids.ts";
import { RecentTraces } from "#gateway/recent-traces.ts";
import { RequestTrace } from "#gateway/request-trace.ts";
import { systemClock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";

const IDS = [11, 12, 13] as AccountId[];

function choiceOf(
  part: Partial<Pick<Choice, "chosen" | "chosenBy" | "left" | "boundTo">> = {},
  found: number[] = [],
) {
  const findings = Uint8Array.from(IDS, (_, index) => found[index] ?? FOUND.eligible);
  const choice = new Choice({ candidates: [], ids: IDS, findings, atMs: 0, boundTo: part.boundTo });
  return Object.assign(choice, part);
}

function traceOf(requestId: string, part: { client?: string; model?: string } = {}): RequestTrace {
  const trace = new RequestTrace(systemClock.monotonic(), systemClock);
  trace.request = {
    requestId,
    model: part.model ?? "claude-haiku-4-5",
    stream: true,
    groupId: 3,
    apiKeyId: 2 ** 40,
    sessionKey: `session of ${requestId}`,
    client: part.client,
    arrivedAtMs: 1_800_000_000_123,
  };
  return trace;
}

/** Every kind of course that a request can take. */
const COURSES: Readonly<Record<string, (trace: RequestTrace) => void>> = {
  "a request that goes as it should": (trace) => {
    trace.add({ step: "choice", choice: choiceOf({ chosen: IDS[1], chosenBy: "load" }) });
    trace.add({ step: "attempt", account: 12 as AccountId });
    trace.add({ step: "answer", status: 200 });
  },
  "one that waits for everything, where its conversation is bound": (trace) => {
    trace.add({ step: "queue", waitedMs: 12.6 });
    trace.add({ step: "choice", choice: choiceOf({ chosen: IDS[2], chosenBy: "binding", boundTo: IDS[2] }) });
    trace.add({ step: "queue", waitedMs: 3 });
    trace.add({ step: "turn", waitedMs: 250 });
    trace.add({ step: "attempt", account: 13 as AccountId });
    trace.add({ step: "answer", status: 201 });
  },
  "one that nobody is chosen for": (trace) => {
    trace.add({ step: "choice", choice: choiceOf() });
  },
  "one that finds an account full and leaves another": (trace) => {
    const choice = choiceOf({ chosen: IDS[1], chosenBy: "load", left: "resting", boundTo: IDS[0] }, [
      FOUND.full,
    ]);
    trace.add({ step: "choice", choice });
  },
  "one that fails": (trace) => {
    trace.add({ step: "choice", choice: choiceOf({ chosen: IDS[0], chosenBy: "pin" }) });
    trace.add({ step: "attempt", account: 11 as AccountId });
    trace.addFault(new Fault("upstream.reset"), 11 as AccountId);
    trace.add({ step: "retry", how: "round", delayMs: 10 });
    trace.addFault(new Fault("select.no_account"));
  },
  "one that is answered here": (trace) => trace.add({ step: "local", kind: "warmup" }),
  "one of many steps": (trace) => {
    for (let step = 0; step < 9; step++) trace.add({ step: "turn", waitedMs: step });
  },
  "one of which nothing is known yet": () => undefined,
};

for (const [name, takeCourse] of Object.entries(COURSES)) {
  test(`${name} is described alike while it is under way and when it has ended`, () => {
    const traces = new RecentTraces();
    const trace = traceOf("a", { client: "some-client 1.0" });
    traces.begin(trace);
    takeCourse(trace);
    const underWay = traces.describe("a");
    expect(underWay).toMatchObject({ request_id: "a", steps: trace.steps.map(({ step }) => ({ step })) });
    traces.end(trace);
    expect(traces.describe("a")).toEqual(underWay);
  });
}

test("a trace is that of its own request, whatever others are called", () => {
  const traces = new RecentTraces();
  const [first, second] = [traceOf("a", { model: "b", client: "b" }), traceOf("b")];
  for (const trace of [first, second]) {
    traces.begin(trace);
    COURSES["a request that goes as it should"]?.(trace);
    traces.end(trace);
  }
  expect(traces.describe("b")).toMatchObject({ request_id: "b", session_key: "session of b" });
  expect(traces.describe("c")).toBeUndefined();
});

test("the latest thousand are kept, also where an older one ends after newer ones have", () => {
  const traces = new RecentTraces();
  const slow = traceOf("slow");
  traces.begin(slow);
  for (let count = 0; count < 1_000; count++) {
    const trace = traceOf(`r${count}`);
    traces.begin(trace);
    traces.end(trace);
  }
  traces.end(slow);
  expect(traces.describe("slow")).toBeUndefined();
  expect([traces.describe("r0"), traces.describe("r999")]).toMatchObject([
    { request_id: "r0" },
    { request_id: "r999" },
  ]);
  const latest = traceOf("latest");
  traces.begin(latest);
  expect(traces.describe("r0")).toBeUndefined();
  expect(traces.describe("latest")).toMatchObject({ request_id: "latest" });
});
