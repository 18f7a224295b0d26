import { AccountChange, AccountCreate, AccountShown } from "./account.ts";
import { ProblemModel } from "./admin-detail.ts";
import { ApiKeyChange, ApiKeyCreate, ApiKeyCreated, ApiKeyShown } from "./api-key.ts";
import { GatewayError, Model } from "./gateway.ts";
import { GroupChange, GroupCreate, GroupShown } from "./group.ts";
import { AccountStatus, UserStatus } from "./live-status.ts";
import { UsageShown } from "./usage.ts";
import { BalanceMovement, UserChange, UserCreate, UserShown } from "./user.ts";

/** Every schema that the OpenAPI document refers to, by its title. */
export const MODELS: Readonly<Record<string, object>> = Object.fromEntries(
  [
    AccountChange,
    AccountCreate,
    AccountShown,
    AccountStatus,
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyShown,
    BalanceMovement,
    GatewayError,
    GroupChange,
    GroupCreate,
    GroupShown,
    Model,
    ProblemModel,
    UsageShown,
    UserChange,
    UserCreate,
    UserShown,
    UserStatus,
  ].map((schema) => [schema.title, schema]),
);
