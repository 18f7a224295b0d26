/** What a gateway has to do for a request at the least, in the order in which the floor is built up. */
export const STEPS = [
  { id: "thread", name: "a thread of its own; body read whole, abort signal" },
  { id: "headers", name: "+ headers chosen one by one, both ways" },
  { id: "route", name: "+ the framework's route" },
  { id: "key", name: "+ key hashed and looked up, two slots counted, the client's leaving heard" },
  { id: "body", name: "+ body parsed and hashed" },
  { id: "usage", name: "+ answer read for its usage; a stream in two branches" },
  { id: "journal", name: "+ a line in a file before the answer goes" },
  { id: "log", name: "+ a line in the log" },
  { id: "metrics", name: "+ a histogram" },
  { id: "ledger", name: "+ the line handed to another thread" },
] as const;
export type StepId = (typeof STEPS)[number]["id"];

/** What the floor's threads are told, in their environment. */
export const FLOOR_STEP = "BENCH_FLOOR_STEP";
export const FLOOR_UPSTREAM = "BENCH_FLOOR_UPSTREAM";
/** A folder that their files go into; whoever has made it removes it. */
export const FLOOR_DIR = "BENCH_FLOOR_DIR";

/** Whether a server that stands on one step does what another one stands for. */
export function includesStep(stands: string | undefined, step: StepId): boolean {
  return STEPS.findIndex(({ id }) => id === stands) >= STEPS.findIndex(({ id }) => id === step);
}
