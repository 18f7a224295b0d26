/**
 * Everything that must hold before a change is accepted: style, types, unused code, migrations, and every
 * test against a real PostgreSQL and Redis. Servers named by `TEST_DATABASE_URL` and `TEST_REDIS_URL` are
 * used; missing ones are started from what is installed, on free ports and in throw-away folders.
 */
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres, startRedis, type TestServer } from "#support/servers.ts";

const ROOT = join(import.meta.dir, "..");

/** Longest any step may take, in milliseconds. */
const STEP_MS_MAX = 15 * 60_000;

/** How many test processes run side by side. An embedded database can take a gigabyte while it starts. */
const TEST_PROCESSES = 2;

/** A child's exit code and everything it wrote. */
interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** One check that is not a test: what is shown while it runs, and what it found wrong (empty: nothing). */
interface Step {
  readonly heading: string;
  run(): Promise<string>;
}

/** What the run has found so far. */
interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const running = new Set<{ kill(signal?: NodeJS.Signals): void }>();
const cleanups: (() => Promise<void>)[] = [];

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function run(command: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = Bun.spawn([...command], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: STEP_MS_MAX,
  });
  running.add(child);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  running.delete(child);
  return { code, output: stdout + stderr };
}

/** A tool among the installed packages, run by this Bun whether or not there is one on the PATH. */
const tool = (name: string, ...args: readonly string[]): readonly string[] => [
  process.execPath,
  "x",
  "--bun",
  "--no-install",
  name,
  ...args,
];

const clean = (heading: string, command: readonly string[]): Step => ({
  heading,
  run: async () => {
    const { code, output } = await run(command);
    return code === 0 ? "" : output || `exit code ${code}`;
  },
});

/**
 * What drizzle-kit says when all is well. Its exit code is 0 even when it stops to ask a question, such as
 * whether a column was renamed, and finds nobody to answer.
 */
const NOTHING_TO_MIGRATE = "No schema changes";

/** Generates migrations into a copy: whatever comes out is a change of the schema that has none. */
async function missingMigrations(): Promise<string> {
  const copy = await mkdtemp(join(ROOT, "node_modules", ".migrations-"));
  try {
    await cp(join(ROOT, "drizzle"), copy, { recursive: true });
    const before = new Set(await readdir(copy));
    const out = `./node_modules/${copy.slice(copy.lastIndexOf("/") + 1)}`;
    const options = ["--dialect=postgresql", "--schema=./src/storage/schema/*.ts", "--casing=snake_case"];
    const { code, output } = await run(tool("drizzle-kit", "generate", ...options, `--out=${out}`));
    if (code !== 0) return output;
    if (output.includes(NOTHING_TO_MIGRATE)) return "";
    const generated = (await readdir(copy)).filter((name) => !before.has(name));
    const texts = await Promise.all(generated.map((name) => Bun.file(join(copy, name)).text()));
    return `The schema and the migrations differ. Missing migration:\n${texts.join("\n") || output}`;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

const STEPS: readonly Step[] = [
  clean("style (biome)", tool("biome", "ci", "--colors=off", ".")),
  clean("types (tsc)", tool("tsc", "--noEmit")),
  clean("unused code (knip)", tool("knip")),
  clean("migrations (drizzle-kit)", tool("drizzle-kit", "check", "--config=drizzle/config.ts")),
  { heading: "schema and migrations agree", run: missingMigrations },
];

async function runStep({ heading, run: find }: Step, tally: Tally): Promise<void> {
  say(`• ${heading}`);
  const problem = await find();
  if (problem === "") return;
  tally.failed += 1;
  say(problem.trimEnd());
}

/** The servers the tests run against, as environment variables; undefined when one cannot be had. */
async function servers(): Promise<Record<string, string> | undefined> {
  const wanted = [
    { name: "TEST_DATABASE_URL", start: startPostgres },
    { name: "TEST_REDIS_URL", start: startRedis },
  ];
  const env: Record<string, string> = {};
  for (const { name, start } of wanted) {
    const url = process.env[name] ?? (await startIn(start))?.url;
    if (url === undefined) return undefined;
    env[name] = url;
  }
  return env;
}

async function startIn(
  start: (dir: string) => Promise<TestServer | undefined>,
): Promise<TestServer | undefined> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-check-"));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  const started = start(dir);
  // Registered before it is up, so that an interrupted start is waited for and undone as well.
  cleanups.push(async () => (await started.catch(() => undefined))?.close());
  return await started;
}

/** Runs every test and reads the counts from Bun's report, because its exit code alone does not tell them. */
async function runTests(env: Record<string, string>, tally: Tally): Promise<void> {
  say("• tests (PostgreSQL, Redis and the embedded database)");
  const options = [`--parallel=${TEST_PROCESSES}`, "--only-failures"];
  const { code, output } = await run([process.execPath, "test", ...options], env);
  // The summary comes last; a test may have printed something that looks like it.
  const count = (word: string): number =>
    Number([...output.matchAll(new RegExp(`^\\s*(\\d+) ${word}\\b`, "gm"))].at(-1)?.[1] ?? 0);
  const failed = count("fail") + count("errors?");
  tally.passed += count("pass");
  tally.skipped += count("skip");
  // A run that broke off has no failed test to show for it.
  tally.failed += code === 0 ? failed : Math.max(failed, 1);
  if (code !== 0) say(output.trim());
}

let cleaning: Promise<void> | undefined;

/** Ends and removes everything this run has started. Asked again, it is the same clean-up that is awaited. */
function cleanUp(): Promise<void> {
  cleaning ??= (async () => {
    for (const child of running) child.kill();
    for (let next = cleanups.pop(); next !== undefined; next = cleanups.pop()) await next();
  })();
  return cleaning;
}

async function check(): Promise<number> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  try {
    const env = await servers();
    if (env === undefined) {
      say(
        "PostgreSQL and Redis are needed: apt-get install postgresql redis-server (macOS: brew install postgresql redis), or set TEST_DATABASE_URL and TEST_REDIS_URL.",
      );
      return 1;
    }
    for (const step of STEPS) await runStep(step, tally);
    await runTests(env, tally);
  } finally {
    await cleanUp();
  }
  const skipped = tally.skipped === 0 ? "" : `, ${tally.skipped} skipped`;
  say(`${tally.passed} passed, ${tally.failed} failed${skipped}`);
  return tally.failed === 0 ? 0 : 1;
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => {
    void cleanUp().finally(() => process.exit(code));
  });
}

process.exit(await check());
