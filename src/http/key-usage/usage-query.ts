import { Fault } from "#kernel/fault.ts";
import type { UsageStretch } from "#storage/repositories/key-statistics.ts";

/** How many days the statistics by model reach back when no first day is named. */
const DAYS_DEFAULT = 30;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
/** Names of zones. Offsets, which the engine takes for zones too, have no names and know no summer. */
const ZONE_NAME = /^[A-Za-z][\w+/-]{0,63}$/;

/** Which times the statistics of a key are wanted for, in milliseconds since the Unix epoch. */
export interface UsageTimes {
  /** When the present day began in the caller's time zone. */
  readonly todayMs: number;
  readonly models: UsageStretch;
}

/**
 * Reads `start_date`, `end_date` and `timezone` from a query string. Days are those of the time zone, and the last
 * one counts whole.
 *
 * @throws Fault `parse.field_invalid` that names the parameter.
 */
export function readUsageTimes(query: string, nowMs: number): UsageTimes {
  const params = new URLSearchParams(query);
  const now = Temporal.Instant.fromEpochMilliseconds(nowMs);
  const local = localTime(now, params.get("timezone") ?? "UTC");
  const last = readDate("end_date", params);
  const first = readDate("start_date", params);
  const toMs = last === undefined ? nowMs + 1 : startOf(last.add({ days: 1 }), local);
  const fromMs = first === undefined ? defaultFromMs(last, local) : startOf(first, local);
  if (first !== undefined && last !== undefined && Temporal.PlainDate.compare(first, last) > 0) {
    throw invalid("start_date: must not be after end_date");
  }
  return { todayMs: local.startOfDay().epochMilliseconds, models: { fromMs, toMs } };
}

/** Thirty days back from now, or thirty whole days up to a last one that is named; those to come have no usage. */
function defaultFromMs(last: Temporal.PlainDate | undefined, local: Temporal.ZonedDateTime): number {
  if (last === undefined) return local.subtract({ days: DAYS_DEFAULT }).epochMilliseconds;
  const today = local.toPlainDate();
  const latest = Temporal.PlainDate.compare(last, today) > 0 ? today : last;
  return startOf(latest.subtract({ days: DAYS_DEFAULT - 1 }), local);
}

function localTime(now: Temporal.Instant, zone: string): Temporal.ZonedDateTime {
  const local = ZONE_NAME.test(zone) ? readable(() => now.toZonedDateTimeISO(zone)) : undefined;
  if (local !== undefined) return local;
  throw invalid("timezone: must be the IANA name of a time zone, such as Europe/Berlin");
}

/** Years are bounded because the database knows no year 0, and the day after the last has to have four digits too. */
function readDate(name: string, params: URLSearchParams): Temporal.PlainDate | undefined {
  const raw = params.get(name);
  if (raw === null) return undefined;
  const date = DATE.test(raw) ? readable(() => Temporal.PlainDate.from(raw)) : undefined;
  if (date === undefined || date.year < 1_970 || date.year > 9_998) {
    throw invalid(`${name}: must be a date of the form YYYY-MM-DD`);
  }
  return date;
}

function readable<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function startOf(date: Temporal.PlainDate, { timeZoneId }: Temporal.ZonedDateTime): number {
  return date.toZonedDateTime(timeZoneId).epochMilliseconds;
}

function invalid(publicMessage: string): Fault {
  return new Fault("parse.field_invalid", { publicMessage });
}
