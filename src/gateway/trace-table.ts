import { CHOSEN_BY, Choice } from "#accounts/choice.ts";
import type { AccountId } from "#domain/ids.ts";
import type { RequestTrace, Step, TracedRequest } from "./request-trace.ts";

/** Numbers of a place before its steps. */
const HEAD = { arrivedAtMs: 0, groupId: 1, apiKeyId: 2, stream: 3, steps: 4 } as const;
const HEAD_NUMBERS = 5;
/** Numbers of a step: its kind's place among {@link KINDS}, and what it says. */
const STEP = { kind: 0, at: 1, first: 2, second: 3, third: 4 } as const;
const STEP_NUMBERS = 5;
/** Steps of a plain trace: it waits, twice perhaps, is given to an account, asks it, and has the answer. */
const STEPS_MAX = 6;
const PLACE_NUMBERS = HEAD_NUMBERS + STEPS_MAX * STEP_NUMBERS;
/** Steps that numbers can tell. */
const KINDS = ["queue", "turn", "choice", "attempt", "answer"] as const;
const TEXT = { requestId: 0, model: 1, sessionKey: 2, client: 3 } as const;
const PLACE_TEXTS = 4;

type NumericStep = Extract<Step, { readonly step: (typeof KINDS)[number] }>;

/**
 * Traces of requests that went as requests should, in numbers.
 *
 * As objects a thousand traces are twenty thousand, each of which the garbage collector visits, while requests wait,
 * because it outlives its request. Here only their texts are.
 */
export class TraceTable {
  readonly #numbers: Float64Array;
  readonly #texts: (string | undefined)[];
  readonly #pools: (readonly AccountId[] | undefined)[];

  constructor(places: number) {
    this.#numbers = new Float64Array(places * PLACE_NUMBERS);
    this.#texts = new Array(places * PLACE_TEXTS).fill(undefined);
    this.#pools = new Array(places).fill(undefined);
  }

  /** False when the trace has more to tell than there is room for here. */
  keep(place: number, { request, steps }: RequestTrace): boolean {
    if (request === undefined || steps.length > STEPS_MAX) return false;
    let pool: readonly AccountId[] | undefined;
    let at = place * PLACE_NUMBERS + HEAD_NUMBERS;
    for (const step of steps) {
      if (!isNumeric(step)) return false;
      if (step.step === "choice") {
        if (!step.choice.isPlain || (pool ?? step.choice.ids) !== step.choice.ids) return false;
        pool = step.choice.ids;
      }
      this.#writeStep(at, step);
      at += STEP_NUMBERS;
    }
    this.#pools[place] = pool;
    this.#writeHead(place, request, steps.length);
    return true;
  }

  forget(place: number): void {
    this.#texts[place * PLACE_TEXTS + TEXT.requestId] = undefined;
  }

  find(requestId: string): Pick<RequestTrace, "request" | "steps"> | undefined {
    let place = 0;
    while (place < this.#pools.length && this.#texts[place * PLACE_TEXTS + TEXT.requestId] !== requestId)
      place++;
    if (place === this.#pools.length) return undefined;
    const head = place * PLACE_NUMBERS;
    const steps = Array.from({ length: this.#numbers[head + HEAD.steps] ?? 0 }, (_, index) =>
      this.#readStep(head + HEAD_NUMBERS + index * STEP_NUMBERS, this.#pools[place] ?? []),
    );
    return { request: this.#readHead(place, requestId), steps };
  }

  #writeHead(place: number, request: TracedRequest, steps: number): void {
    const numbers = this.#numbers;
    const head = place * PLACE_NUMBERS;
    numbers[head + HEAD.arrivedAtMs] = request.arrivedAtMs;
    numbers[head + HEAD.groupId] = request.groupId;
    numbers[head + HEAD.apiKeyId] = request.apiKeyId;
    numbers[head + HEAD.stream] = request.stream ? 1 : 0;
    numbers[head + HEAD.steps] = steps;
    const text = place * PLACE_TEXTS;
    this.#texts[text + TEXT.requestId] = request.requestId;
    this.#texts[text + TEXT.model] = request.model;
    this.#texts[text + TEXT.sessionKey] = request.sessionKey;
    this.#texts[text + TEXT.client] = request.client;
  }

  #readHead(place: number, requestId: string): TracedRequest {
    const number = (field: number): number => this.#numbers[place * PLACE_NUMBERS + field] ?? 0;
    const text = (field: number): string | undefined => this.#texts[place * PLACE_TEXTS + field];
    return {
      requestId,
      model: text(TEXT.model) ?? "",
      sessionKey: text(TEXT.sessionKey) ?? "",
      client: text(TEXT.client),
      arrivedAtMs: number(HEAD.arrivedAtMs),
      groupId: number(HEAD.groupId),
      apiKeyId: number(HEAD.apiKeyId),
      stream: number(HEAD.stream) === 1,
    };
  }

  #writeStep(at: number, step: NumericStep): void {
    const numbers = this.#numbers;
    numbers[at + STEP.kind] = KINDS.indexOf(step.step);
    numbers[at + STEP.at] = step.at;
    switch (step.step) {
      case "queue":
      case "turn":
        numbers[at + STEP.first] = step.waitedMs;
        break;
      case "choice":
        numbers[at + STEP.first] = step.choice.chosen ?? Number.NaN;
        numbers[at + STEP.second] = step.choice.boundTo ?? Number.NaN;
        numbers[at + STEP.third] =
          step.choice.chosenBy === undefined ? Number.NaN : CHOSEN_BY.indexOf(step.choice.chosenBy);
        break;
      case "attempt":
        numbers[at + STEP.first] = step.account;
        break;
      case "answer":
        numbers[at + STEP.first] = step.status;
    }
  }

  #readStep(place: number, ids: readonly AccountId[]): Step {
    const number = (field: number): number => this.#numbers[place + field] ?? 0;
    const step = KINDS[number(STEP.kind)] ?? "answer";
    const at = number(STEP.at);
    const first = number(STEP.first);
    switch (step) {
      case "queue":
      case "turn":
        return { step, at, waitedMs: first };
      case "choice":
        return { step, at, choice: this.#readChoice(place, ids) };
      case "attempt":
        return { step, at, account: first as AccountId };
      case "answer":
        return { step, at, status: first };
    }
  }

  #readChoice(place: number, ids: readonly AccountId[]): Choice {
    const number = (field: number): number | undefined => {
      const value = this.#numbers[place + field] ?? Number.NaN;
      return Number.isNaN(value) ? undefined : value;
    };
    const boundTo = number(STEP.second) as AccountId | undefined;
    const choice = new Choice({
      candidates: [],
      ids,
      findings: new Uint8Array(ids.length),
      atMs: 0,
      boundTo,
    });
    choice.chosen = number(STEP.first) as AccountId | undefined;
    choice.chosenBy = CHOSEN_BY[number(STEP.third) ?? -1];
    return choice;
  }
}

function isNumeric(step: Step): step is NumericStep {
  return (KINDS as readonly string[]).includes(step.step);
}
