import type { ErrorRule } from "#domain/error-rule.ts";
import type { Platform } from "#domain/platform.ts";
import type { Fault, UpstreamAnswer } from "#kernel/fault.ts";
import { readErrorMessage } from "#protocols/error-message.ts";

/** How much of an answer's text rules look at, in bytes. */
const TEXT_BYTES_MAX = 8_192;

/** Statuses with which an error may be answered. */
const ERROR_STATUS_MIN = 400;
const ERROR_STATUS_MAX = 599;

/** What rules are looked up for: the platform that the request was sent to. */
interface RuledCall {
  readonly provider: { readonly platform: Platform };
}

/** Where the rules come from, in the order in which they are tried: by priority, then by age. */
interface RuleSource {
  readonly errorRules: () => readonly ErrorRule[];
}

/**
 * The fault as operators want it shown to clients, and whether they want to hear of it: the first rule that fits
 * an upstream's answer decides. What no upstream has answered, and what fits no rule, stays as it is.
 */
export function ruledFault(fault: Fault, { provider }: RuledCall, { errorRules }: RuleSource): Fault {
  const { upstream } = fault;
  if (upstream === undefined) return fault;
  const rule = fittingRule(errorRules(), provider.platform, upstream);
  if (rule === undefined) return fault;
  return fault.shownAs({
    status: rule.responseStatus ?? errorStatus(upstream.status) ?? fault.status,
    message: rule.message ?? readErrorMessage(upstream.body) ?? fault.publicMessage,
    skipsMonitoring: rule.skipsMonitoring,
  });
}

function fittingRule(
  rules: readonly ErrorRule[],
  platform: Platform,
  { status, body }: UpstreamAnswer,
): ErrorRule | undefined {
  let text: string | undefined;
  const holds = (keyword: string): boolean => {
    text ??= new TextDecoder().decode(body.subarray(0, TEXT_BYTES_MAX)).toLowerCase();
    return text.includes(keyword);
  };
  return rules.find(({ platforms, statuses, keywords, match }) => {
    if (platforms.length > 0 && !platforms.includes(platform)) return false;
    const conditions: (() => boolean)[] = [];
    if (statuses.length > 0) conditions.push(() => statuses.includes(status));
    if (keywords.length > 0) conditions.push(() => keywords.some(holds));
    if (match === "any") return conditions.some((isMet) => isMet());
    return conditions.length > 0 && conditions.every((isMet) => isMet());
  });
}

/** An upstream's status, where it can be an error's: an answer may also be wrong because it was none. */
function errorStatus(status: number): number | undefined {
  return status >= ERROR_STATUS_MIN && status <= ERROR_STATUS_MAX ? status : undefined;
}
