import type { Static } from "elysia";
import type { AccountType } from "#domain/account.ts";
import type { GroupId } from "#domain/ids.ts";
import type { Platform } from "#domain/platform.ts";
import { fieldProblem, type Problem } from "#http/problem.ts";
import type { AccountChange, AccountCreate } from "#http/schemas/account.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import type { AdminOptions } from "./admin-options.ts";
import { done, type Outcome, refused } from "./outcome.ts";

type Checks = Pick<AdminOptions, "storage" | "checkBaseUrl">;
type Change = Static<typeof AccountChange>;

/** Checks what a schema cannot say about a new account; gives it with its base URL as it is to be stored. */
export async function checkedCreate(
  body: Static<typeof AccountCreate>,
  checks: Checks,
): Promise<Outcome<Static<typeof AccountCreate>>> {
  const { type, platform } = body;
  const problem =
    credentialsProblem(type, body.credentials) ??
    timezoneProblem(body) ??
    (await referenceProblem(body, platform, checks));
  return problem === undefined ? await withBaseUrl(body, checks) : refused(problem);
}

/** Checks what a schema cannot say about a change of an account; gives it with its base URL as it is to be stored. */
export async function checkedChange(
  body: Change,
  { type, platform }: Pick<AccountRow, "type" | "platform">,
  checks: Checks,
): Promise<Outcome<Change>> {
  const problem =
    (body.credentials && credentialsProblem(type, body.credentials)) ??
    timezoneProblem(body) ??
    (await referenceProblem(body, platform, checks));
  return problem === undefined ? await withBaseUrl(body, checks) : refused(problem);
}

function credentialsProblem(type: AccountType, credentials: object): Problem | undefined {
  if (type !== "api_key") {
    return fieldProblem(
      "unprocessable",
      "/type",
      "must be api_key: this version cannot refresh or use others",
    );
  }
  if ("api_key" in credentials) return undefined;
  return fieldProblem("invalid-request", "/credentials", "must hold api_key: the account's type is api_key");
}

/** Offsets, which the engine takes for zones too, are refused: they have no names and know no summer. */
function timezoneProblem({ quota_reset_timezone: timeZone = "UTC" }: Change): Problem | undefined {
  const problem = fieldProblem(
    "unprocessable",
    "/quota_reset_timezone",
    "must be the IANA name of a time zone",
  );
  if (/^[+-]/.test(timeZone)) return problem;
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return undefined;
  } catch {
    return problem;
  }
}

async function referenceProblem(
  { group_ids = [], proxy_id }: Change,
  platform: Platform,
  { storage }: Checks,
): Promise<Problem | undefined> {
  // An account that asks for a proxy must never be used without one, and there are none to choose from.
  if (proxy_id !== undefined && proxy_id !== null) {
    return fieldProblem("unprocessable", "/proxy_id", "names nothing that exists");
  }
  for (const [index, id] of group_ids.entries()) {
    const group = await storage.groups.get(id as GroupId);
    const path = `/group_ids/${index}`;
    if (group === undefined) return fieldProblem("unprocessable", path, "names nothing that exists");
    if (group.platform !== platform) {
      const message = `names a group of the platform ${group.platform}; the account's is ${platform}`;
      return fieldProblem("unprocessable", path, message);
    }
  }
  return undefined;
}

async function withBaseUrl<Body extends Change>(
  body: Body,
  { checkBaseUrl }: Checks,
): Promise<Outcome<Body>> {
  if (typeof body.base_url !== "string") return done(body);
  const verdict = await checkBaseUrl(body.base_url);
  if (!verdict.ok) return refused(fieldProblem("unprocessable", "/base_url", verdict.reason));
  return done({ ...body, base_url: verdict.url });
}
