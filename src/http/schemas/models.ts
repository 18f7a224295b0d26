import { AccountChange, AccountCreate, AccountShown } from "./account.ts";
import { AccountEventShown } from "./account-event.ts";
import { ProblemModel } from "./admin-detail.ts";
import { ApiKeyChange, ApiKeyCreate, ApiKeyCreated, ApiKeyShown } from "./api-key.ts";
import { ErrorRuleChange, ErrorRuleCreate, ErrorRuleShown } from "./error-rule.ts";
import { GatewayError, Model } from "./gateway.ts";
import { GroupChange, GroupCreate, GroupShown } from "./group.ts";
import { LedgerShown } from "./ledger.ts";
import { AccountStatus, UserStatus } from "./live-status.ts";
import { RequestTrace } from "./request-trace.ts";
import { SettingsChange, SettingsShown } from "./settings.ts";
import { StickyFlushed } from "./sticky.ts";
import { SubscriptionChange, SubscriptionCreate, SubscriptionShown } from "./subscription.ts";
import { UpstreamAttempt } from "./upstream-attempt.ts";
import { UsageAggregateShown, UsageShown } from "./usage.ts";
import {
  BalanceAdjustmentShown,
  BalanceMovement,
  UserChange,
  UserCreate,
  UserRate,
  UserShown,
} from "./user.ts";

/** Every schema that the OpenAPI document refers to, by its title. */
export const MODELS: Readonly<Record<string, object>> = Object.fromEntries(
  [
    AccountChange,
    AccountCreate,
    AccountEventShown,
    AccountShown,
    AccountStatus,
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyShown,
    BalanceAdjustmentShown,
    BalanceMovement,
    ErrorRuleChange,
    ErrorRuleCreate,
    ErrorRuleShown,
    GatewayError,
    GroupChange,
    GroupCreate,
    GroupShown,
    Model,
    ProblemModel,
    RequestTrace,
    SettingsChange,
    SettingsShown,
    StickyFlushed,
    LedgerShown,
    SubscriptionChange,
    SubscriptionCreate,
    SubscriptionShown,
    UpstreamAttempt,
    UsageAggregateShown,
    UsageShown,
    UserChange,
    UserCreate,
    UserRate,
    UserShown,
    UserStatus,
  ].map((schema) => [schema.title, schema]),
);
