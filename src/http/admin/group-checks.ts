import type { Static } from "elysia";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { fieldProblem, type Problem } from "#http/problem.ts";
import type { GroupChange } from "#http/schemas/group.ts";
import type { AccountRepository } from "#storage/repositories/accounts.ts";
import type { GroupRepository, GroupRow } from "#storage/repositories/groups.ts";
import type { SubscriptionRepository } from "#storage/repositories/subscriptions.ts";

type Change = Static<typeof GroupChange>;
type Groups = Pick<GroupRepository, "get" | "referrersOf">;

/** A group as far as its fallbacks depend on it; without an id while it is to be created. */
type Known = Pick<GroupRow, "platform"> &
  Partial<Pick<GroupRow, "id" | "subscriptionType" | "fallbackGroupIdOnInvalidRequest">>;

const FALLBACK = "/fallback_group_id";
const ON_INVALID_REQUEST = "/fallback_group_id_on_invalid_request";
const PLATFORMS_WITH_INVALID_REQUEST_FALLBACK: ReadonlySet<string> = new Set(["anthropic", "antigravity"]);

/** What is wrong with the accounts that a group's routing names. */
export async function routingProblem(
  { model_routing }: Change,
  accounts: Pick<AccountRepository, "missing">,
): Promise<Problem | undefined> {
  const routes = Object.entries(model_routing ?? {});
  const named = new Set(routes.flatMap(([, ids]) => ids as AccountId[]));
  if (named.size === 0) return undefined;
  const missing = await accounts.missing([...named]);
  for (const [model, ids] of routes) {
    const index = ids.findIndex((id) => missing.has(id as AccountId));
    if (index >= 0) return unprocessable(`/model_routing/${pointerPart(model)}/${index}`, "names no account");
  }
  return undefined;
}

/**
 * What is wrong with a group's fallbacks, or with it as the fallback of others, after a change. Only what the
 * change touches is looked at. Holds for as long as no group changes.
 */
export async function fallbackProblem(
  body: Change,
  known: Known,
  groups: Groups,
): Promise<Problem | undefined> {
  return (
    (await ownFallbackProblem(body, known, groups)) ??
    invalidRequestRuleProblem(body, known) ??
    (await invalidRequestTargetProblem(body, known, groups)) ??
    (await referrerProblem(body, known, groups))
  );
}

async function ownFallbackProblem(
  { fallback_group_id: id }: Change,
  known: Known,
  groups: Groups,
): Promise<Problem | undefined> {
  if (id === undefined || id === null) return undefined;
  if (id === known.id) return unprocessable(FALLBACK, "names the group itself");
  const target = await groups.get(id as GroupId);
  if (target === undefined) return unprocessable(FALLBACK, "names nothing that exists");
  if (target.platform !== known.platform) {
    const message = `names a group of the platform ${target.platform}; this one's is ${known.platform}`;
    return unprocessable(FALLBACK, message);
  }
  if (target.claudeCodeOnly)
    return unprocessable(FALLBACK, "names a group that is for Claude Code only itself");
  return (await leadsTo(target, known.id, groups))
    ? unprocessable(FALLBACK, "leads back to the group")
    : undefined;
}

/** Whether fallbacks lead from a group to another one. */
async function leadsTo(from: GroupRow, id: GroupId | undefined, groups: Groups): Promise<boolean> {
  const seen = new Set<GroupId>();
  for (let next = from.fallbackGroupId; next !== null && !seen.has(next); ) {
    if (next === id) return true;
    seen.add(next);
    next = (await groups.get(next))?.fallbackGroupId ?? null;
  }
  return false;
}

/** Which groups may have a fallback for refused requests at all. */
function invalidRequestRuleProblem(body: Change, known: Known): Problem | undefined {
  const { fallback_group_id_on_invalid_request: asked, subscription_type } = body;
  const fallback = asked === undefined ? known.fallbackGroupIdOnInvalidRequest : asked;
  const isTouched = asked !== undefined || subscription_type !== undefined;
  if (!isTouched || fallback === undefined || fallback === null) return undefined;
  if (!PLATFORMS_WITH_INVALID_REQUEST_FALLBACK.has(known.platform)) {
    return unprocessable(ON_INVALID_REQUEST, "is for groups of the platforms anthropic and antigravity");
  }
  if ((subscription_type ?? known.subscriptionType) !== "subscription") return undefined;
  return asked === undefined
    ? unprocessable("/subscription_type", "cannot be subscription while requests that are refused fall back")
    : unprocessable(ON_INVALID_REQUEST, "is not for groups of subscriptions");
}

async function invalidRequestTargetProblem(
  { fallback_group_id_on_invalid_request: id }: Change,
  known: Known,
  groups: Groups,
): Promise<Problem | undefined> {
  if (id === undefined || id === null) return undefined;
  if (id === known.id) return unprocessable(ON_INVALID_REQUEST, "names the group itself");
  const target = await groups.get(id as GroupId);
  if (target === undefined) return unprocessable(ON_INVALID_REQUEST, "names nothing that exists");
  if (target.platform !== "anthropic") {
    return unprocessable(ON_INVALID_REQUEST, "must name a group of the platform anthropic");
  }
  if (target.subscriptionType === "subscription") {
    return unprocessable(ON_INVALID_REQUEST, "names a group of subscriptions");
  }
  if (target.fallbackGroupIdOnInvalidRequest === null) return undefined;
  return unprocessable(ON_INVALID_REQUEST, "names a group that has such a fallback of its own");
}

/** A group that others fall back to must stay what made it fit for that. */
async function referrerProblem(body: Change, { id }: Known, groups: Groups): Promise<Problem | undefined> {
  const closes = body.claude_code_only === true;
  const bills = body.subscription_type === "subscription";
  const refers = typeof body.fallback_group_id_on_invalid_request === "number";
  if (id === undefined || !(closes || bills || refers)) return undefined;
  const { asFallback, onInvalidRequest } = await groups.referrersOf(id);
  if (closes && asFallback !== null) {
    return unprocessable("/claude_code_only", `cannot be true: group ${asFallback} falls back to this one`);
  }
  if (onInvalidRequest === null) return undefined;
  const why = `group ${onInvalidRequest} falls back to this one for requests that are refused`;
  if (bills) return unprocessable("/subscription_type", `cannot be subscription: ${why}`);
  return refers ? unprocessable(ON_INVALID_REQUEST, `cannot be set: ${why}`) : undefined;
}

/** What its users pay with cannot change while some of them have a subscription in it. */
export async function subscribersProblem(
  { subscription_type: asked }: Change,
  { id, subscriptionType }: Pick<GroupRow, "id" | "subscriptionType">,
  subscriptions: Pick<SubscriptionRepository, "liveIn">,
): Promise<Problem | undefined> {
  if (asked === undefined || asked === subscriptionType || asked === "subscription") return undefined;
  const live = await subscriptions.liveIn(id);
  if (live === undefined) return undefined;
  return unprocessable("/subscription_type", `cannot be ${asked}: subscription ${live} is in this group`);
}

function unprocessable(path: string, message: string): Problem {
  return fieldProblem("unprocessable", path, message);
}

/** Source: RFC 6901, "JavaScript Object Notation (JSON) Pointer", section 3. */
function pointerPart(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
