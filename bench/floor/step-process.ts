import { FLOOR_STEP, FLOOR_UPSTREAM } from "./steps.ts";

/** One step of the floor as a process of its own: `bun bench/floor/step-process.ts STEP UPSTREAM_URL` prints its URL. */
const [step = "", upstream = ""] = process.argv.slice(2);
const env = { ...process.env, [FLOOR_STEP]: step, [FLOOR_UPSTREAM]: upstream } as Record<string, string>;
const thread = new Worker(new URL("./step-thread.ts", import.meta.url).href, { name: "http", env });
thread.onmessage = ({ data }) => process.stdout.write(`${JSON.stringify(data)}\n`);
