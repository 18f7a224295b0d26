import { Elysia } from "elysia";
import { accountRoutes } from "./accounts.ts";
import type { AdminOptions } from "./admin-options.ts";
import { apiKeyRoutes } from "./api-keys.ts";
import { errorRuleRoutes } from "./error-rules.ts";
import { groupRoutes } from "./groups.ts";
import { ledgerRoutes } from "./ledger.ts";
import { requestRoutes } from "./requests.ts";
import { settingsRoutes } from "./settings.ts";
import { stickyRoutes } from "./sticky.ts";
import { subscriptionRoutes } from "./subscriptions.ts";
import { usageRoutes } from "./usage.ts";
import { userRoutes } from "./users.ts";

/** The admin API, `/admin/…`. */
export function adminRoutes(options: AdminOptions) {
  return new Elysia({ name: "routes.admin" })
    .use(groupRoutes(options))
    .use(accountRoutes(options))
    .use(userRoutes(options))
    .use(subscriptionRoutes(options))
    .use(apiKeyRoutes(options))
    .use(errorRuleRoutes(options))
    .use(settingsRoutes(options))
    .use(stickyRoutes(options))
    .use(requestRoutes(options))
    .use(usageRoutes(options))
    .use(ledgerRoutes(options));
}
