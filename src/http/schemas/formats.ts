import { FormatRegistry } from "elysia/type-system";
import { readAddressSet } from "#config/cidr.ts";

/** The format of texts that name an IP address or a CIDR range. */
export const ADDRESS_FORMAT = "ip-or-cidr";
/** The format of moments; the name that JSON Schema gives it. */
export const MOMENT_FORMAT = "date-time";

/** The format of days of the calendar; the name that JSON Schema gives it. */
export const DAY_FORMAT = "date";

/** Four digits of a year that the database can hold too, then the rest of RFC 3339, in capitals. */
const MOMENT =
  /^(2\d{3}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/**
 * Teaches the validator the formats that a pattern cannot say. Validators look formats up in one registry
 * per thread, so this may be called any number of times.
 */
export function registerFormats(): void {
  FormatRegistry.Set(MOMENT_FORMAT, isMoment);
  FormatRegistry.Set(DAY_FORMAT, (text) => isMoment(`${text}T00:00:00Z`));
  FormatRegistry.Set(ADDRESS_FORMAT, isAddressOrRange);
}

/** The engine's own reader takes February 30th for March 2nd, so the date must survive being read. */
function isMoment(text: string): boolean {
  const date = MOMENT.exec(text)?.[1];
  if (date === undefined) return false;
  const ms = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

function isAddressOrRange(text: string): boolean {
  try {
    readAddressSet([text]);
    return true;
  } catch {
    return false;
  }
}
