import { eq, sql } from "drizzle-orm";
import { PLATFORMS } from "#domain/platform.ts";
import {
  type ExtraModel,
  type PriceOverride,
  RUNTIME_SETTINGS,
  type RuntimeSettings,
  type SettingSpec,
} from "#domain/settings.ts";
import { usdToNanos } from "#kernel/money.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { settings } from "#storage/schema/settings.ts";

/** `x.y.z`, or empty for none. */
const VERSION = /^(?:\d+\.\d+\.\d+)?$/;

/** One value that can be changed while the gateway runs. */
export type SettingRow = Readonly<typeof settings.$inferSelect>;

/** The builder, inside a transaction or outside of one. */
type Writer = Pick<Database, "select" | "insert" | "delete" | "execute" | "transaction">;

/** Values that are changed while the gateway runs, by name; those that are not stored have their defaults. */
export class SettingRepository {
  readonly #db: Writer;

  constructor(db: Writer) {
    this.#db = db;
  }

  /** Every setting that is stored. */
  async all(): Promise<readonly SettingRow[]> {
    return await this.#db.select().from(settings).orderBy(settings.key);
  }

  /**
   * Does some work while no other change of settings is under way anywhere, so that what it reads still holds
   * when it writes. What it writes is kept as a whole or, when it throws, not at all.
   */
  exclusively<Result>(work: (settings: SettingRepository) => Promise<Result>): Promise<Result> {
    return this.#db.transaction(async (transaction) => {
      await transaction.execute(sql`lock table ${settings} in share row exclusive mode`);
      return await work(new SettingRepository(transaction));
    });
  }

  /** Sets a value, any JSON but null at the top. */
  async put(key: string, value: NonNullable<unknown>): Promise<void> {
    await this.#db
      .insert(settings)
      .values({ key, value })
      .onConflictDoUpdate({ target: settings.key, set: { value, updatedAtMs: sql`now()` } });
  }

  /** Returns a setting to its default. */
  async remove(key: string): Promise<void> {
    await this.#db.delete(settings).where(eq(settings.key, key));
  }
}

/**
 * The settings that stored values make. A value that does not fit its place in `RUNTIME_SETTINGS`, and so was
 * stored by another version, counts as not stored.
 */
export function runtimeSettings(rows: readonly SettingRow[]): RuntimeSettings {
  const stored = new Map(rows.map(({ key, value }) => [key, value]));
  const values = Object.entries<SettingSpec>(RUNTIME_SETTINGS).map(([name, spec]) => [
    name,
    readValue(spec, stored.get(name)),
  ]);
  return Object.freeze(Object.fromEntries(values)) as unknown as RuntimeSettings;
}

/** A stored value as the gateway reads it; the default when it does not fit. */
function readValue(spec: SettingSpec, stored: unknown): unknown {
  switch (spec.kind) {
    case "models":
      return Array.isArray(stored) ? stored.flatMap(modelsIn) : spec.fallback;
    case "prices":
      return Array.isArray(stored) ? stored.flatMap(pricesIn) : spec.fallback;
    default:
      return fits(spec, stored) ? stored : spec.fallback;
  }
}

function fits(spec: Exclude<SettingSpec, { kind: "models" | "prices" }>, stored: unknown): boolean {
  switch (spec.kind) {
    case "integer":
      return Number.isInteger(stored) && isWithin(spec, stored);
    case "number":
      return isWithin(spec, stored);
    case "flag":
      return typeof stored === "boolean";
    case "choice":
      return spec.words.some((word) => word === stored);
    case "version":
      return typeof stored === "string" && VERSION.test(stored);
  }
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

function isWithin({ min, max }: Bounds, value: unknown): boolean {
  return typeof value === "number" && value >= min && value <= max;
}

/** The model that an entry describes, if it describes one whole. */
function modelsIn(entry: unknown): readonly ExtraModel[] {
  if (typeof entry !== "object" || entry === null) return [];
  const { platform, id, display_name, created_at } = entry as Readonly<Record<string, unknown>>;
  if (typeof id !== "string" || typeof display_name !== "string" || typeof created_at !== "string") return [];
  return PLATFORMS.filter((known) => known === platform).map((known) => ({
    platform: known,
    id,
    displayName: display_name,
    createdAt: created_at,
  }));
}

/** The price that an entry states, if it states one whole: half of one could bill the rest for nothing. */
function pricesIn(entry: unknown): readonly PriceOverride[] {
  if (typeof entry !== "object" || entry === null) return [];
  const fields = entry as Readonly<Record<string, unknown>>;
  const { model } = fields;
  const amounts = {
    inputNanos: nanosIn(fields["input_usd_per_mtok"]),
    outputNanos: nanosIn(fields["output_usd_per_mtok"]),
    cacheWrite5mNanos: nanosIn(fields["cache_write_5m_usd_per_mtok"]),
    cacheWrite1hNanos: nanosIn(fields["cache_write_1h_usd_per_mtok"]),
    cacheReadNanos: nanosIn(fields["cache_read_usd_per_mtok"]),
    requestNanos: nanosIn(fields["request_usd"]),
  };
  const { inputNanos, outputNanos } = amounts;
  const isWhole = Object.values(amounts).every((nanos) => nanos !== "unfit");
  if (typeof model !== "string" || inputNanos === undefined || outputNanos === undefined || !isWhole)
    return [];
  return [{ model, ...amounts } as PriceOverride];
}

/** A decimal string of US dollars as nano-dollars; undefined where there is none. */
function nanosIn(stored: unknown): bigint | undefined | "unfit" {
  if (stored === undefined) return undefined;
  const nanos = typeof stored === "string" ? usdToNanos(stored) : undefined;
  return nanos === undefined || nanos < 0n ? "unfit" : nanos;
}
