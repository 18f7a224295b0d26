CREATE TABLE "account_events" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"account_id" bigint NOT NULL,
	"kind" text NOT NULL,
	"reason" text NOT NULL,
	"cooling" text,
	"model" text,
	"until" timestamp with time zone,
	"status" integer,
	"request_id" text,
	"at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "account_spend" (
	"account_id" bigint NOT NULL,
	"quarter" timestamp with time zone NOT NULL,
	"cost_nanos" bigint NOT NULL,
	CONSTRAINT "account_spend_account_id_quarter_pk" PRIMARY KEY("account_id","quarter")
);
--> statement-breakpoint
CREATE TABLE "error_rules" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"priority" integer DEFAULT 50 NOT NULL,
	"platforms" text[] DEFAULT '{}' NOT NULL,
	"statuses" integer[] DEFAULT '{}' NOT NULL,
	"keywords" text[] DEFAULT '{}' NOT NULL,
	"match" text DEFAULT 'any' NOT NULL,
	"response_status" integer,
	"message" text,
	"skips_monitoring" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "error_rules_name_unique" UNIQUE("name")
);
--> statement-breakpoint
ALTER TABLE "accounts" ALTER COLUMN "user_message_queue" DROP DEFAULT;--> statement-breakpoint
ALTER TABLE "accounts" ALTER COLUMN "user_message_queue" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "load_factor" integer;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "rpm_strategy" text DEFAULT 'tiered' NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "rpm_sticky_buffer" integer;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "max_sessions" integer;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "session_idle_minutes" integer DEFAULT 5 NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "quota_nanos" bigint;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "quota_daily_nanos" bigint;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "quota_weekly_nanos" bigint;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "quota_reset" text DEFAULT 'rolling' NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "quota_reset_hour" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "quota_reset_weekday" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "quota_reset_timezone" text DEFAULT 'UTC' NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "window_cost_limit_nanos" bigint;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "window_cost_sticky_reserve_nanos" bigint DEFAULT 10000000000 NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "unschedulable_rules" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "handled_statuses" integer[];--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "is_pool" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "pauses_when_expired" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "cooling_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "cooling_reason" text;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "trace_header" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "account_events_account_id_id_index" ON "account_events" USING btree ("account_id","id");