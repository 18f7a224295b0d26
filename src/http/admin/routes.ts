import { Elysia } from "elysia";
import { accountRoutes } from "./accounts.ts";
import type { AdminOptions } from "./admin-options.ts";
import { apiKeyRoutes } from "./api-keys.ts";
import { groupRoutes } from "./groups.ts";
import { usageRoutes } from "./usage.ts";
import { userRoutes } from "./users.ts";

/** The admin API, `/admin/…`. */
export function adminRoutes(options: AdminOptions) {
  return new Elysia({ name: "routes.admin" })
    .use(groupRoutes(options))
    .use(accountRoutes(options))
    .use(userRoutes(options))
    .use(apiKeyRoutes(options))
    .use(usageRoutes(options));
}
