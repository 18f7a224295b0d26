/**
 * The house, from the ground up. A room may use rooms on lower floors and, on its own floor, only
 * itself. This table is the law; `floors.test.ts` enforces it and nothing else repeats it.
 */
export const FLOORS: readonly (readonly string[])[] = [
  ["kernel"],
  ["config", "domain"],
  ["protocols"],
  ["storage", "coordination", "providers", "threads", "upstream", "simulator"],
  ["snapshot"],
  ["identity", "accounts", "billing"],
  ["gateway"],
  ["http"],
];

/** Folders whose children are interchangeable and so must not know of each other. */
export const WINGS: readonly string[] = ["providers", "coordination", "storage/engines"];

/** Which rooms may touch the world through which package. */
export const PACKAGE_OWNERS: Readonly<Record<string, readonly string[]>> = {
  elysia: ["src/http", "src/app.ts", "bench/floor"],
  "@elysiajs/swagger": ["src/http", "src/app.ts"],
  "swagger-ui-dist": ["src/http"],
  "drizzle-orm": ["src/storage"],
  postgres: ["src/storage/engines"],
  "@electric-sql/pglite": ["src/storage/engines"],
  ioredis: ["src/coordination/redis"],
  "@pydantic/genai-prices": ["src/billing"],
  "prom-client": ["src/gateway/metrics.ts", "src/process-metrics.ts", "bench/floor"],
  "drizzle-kit": ["drizzle"],
  tinybench: ["bench"],
  assemblyscript: ["test/support"],
};

/** What each thread entry may load: one file that holds the thread's logic. */
export const THREAD_ENTRIES: Readonly<Record<string, string>> = {
  "workers/database.ts": "#storage/engines/embedded-thread.ts",
  "workers/http.ts": "../src/http-thread.ts",
  "workers/ledger.ts": "../src/ledger-thread.ts",
  "workers/parse.ts": "#threads/parse-thread.ts",
};
