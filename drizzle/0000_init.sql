CREATE TABLE "account_groups" (
	"account_id" bigint NOT NULL,
	"group_id" bigint NOT NULL,
	CONSTRAINT "account_groups_account_id_group_id_pk" PRIMARY KEY("account_id","group_id")
);
--> statement-breakpoint
CREATE TABLE "accounts" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"platform" text NOT NULL,
	"type" text NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"status_reason" text,
	"schedulable" boolean DEFAULT true NOT NULL,
	"credentials_sealed" text NOT NULL,
	"base_url" text,
	"concurrency" integer DEFAULT 3 NOT NULL,
	"priority" integer DEFAULT 50 NOT NULL,
	"proxy_id" bigint,
	"model_mapping" jsonb,
	"intercept_warmup" boolean DEFAULT false NOT NULL,
	"base_rpm" integer,
	"user_message_queue" text DEFAULT 'off' NOT NULL,
	"expires_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"user_id" bigint NOT NULL,
	"group_id" bigint NOT NULL,
	"name" text NOT NULL,
	"key_hash" text NOT NULL,
	"key_hint" text NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"quota_nanos" bigint,
	"quota_used_nanos" bigint DEFAULT 0 NOT NULL,
	"rate_limit_5h_nanos" bigint,
	"rate_limit_1d_nanos" bigint,
	"rate_limit_7d_nanos" bigint,
	"expires_at" timestamp with time zone,
	"ip_allow" text[] DEFAULT '{}' NOT NULL,
	"ip_deny" text[] DEFAULT '{}' NOT NULL,
	"last_used_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "api_keys_key_hash_unique" UNIQUE("key_hash")
);
--> statement-breakpoint
CREATE TABLE "groups" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"platform" text NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"rate_multiplier_nanos" bigint DEFAULT 1000000000 NOT NULL,
	"subscription_type" text DEFAULT 'standard' NOT NULL,
	"daily_limit_nanos" bigint,
	"weekly_limit_nanos" bigint,
	"monthly_limit_nanos" bigint,
	"claude_code_only" boolean DEFAULT false NOT NULL,
	"fallback_group_id" bigint,
	"fallback_group_id_on_invalid_request" bigint,
	"model_routing" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "groups_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "settings" (
	"key" text PRIMARY KEY NOT NULL,
	"value" jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"request_id" text NOT NULL,
	"user_id" bigint NOT NULL,
	"api_key_id" bigint NOT NULL,
	"group_id" bigint NOT NULL,
	"account_id" bigint,
	"model" text NOT NULL,
	"upstream_model" text NOT NULL,
	"upstream_request_id" text,
	"input_tokens" bigint NOT NULL,
	"output_tokens" bigint NOT NULL,
	"cache_creation_tokens" bigint NOT NULL,
	"cache_creation_5m_tokens" bigint NOT NULL,
	"cache_creation_1h_tokens" bigint NOT NULL,
	"cache_read_tokens" bigint NOT NULL,
	"cost_nanos" bigint,
	"status" text NOT NULL,
	"http_status" integer NOT NULL,
	"stream" boolean NOT NULL,
	"usage_complete" boolean NOT NULL,
	"duration_ms" integer NOT NULL,
	"first_token_ms" integer,
	"attempts" integer NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "usage_request_id_unique" UNIQUE("request_id")
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text,
	"status" text DEFAULT 'active' NOT NULL,
	"balance_nanos" bigint DEFAULT 0 NOT NULL,
	"concurrency" integer DEFAULT 5 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_email_unique" UNIQUE("email")
);
--> statement-breakpoint
ALTER TABLE "account_groups" ADD CONSTRAINT "account_groups_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "account_groups" ADD CONSTRAINT "account_groups_group_id_groups_id_fk" FOREIGN KEY ("group_id") REFERENCES "public"."groups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_group_id_groups_id_fk" FOREIGN KEY ("group_id") REFERENCES "public"."groups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "groups" ADD CONSTRAINT "groups_fallback_group_id_groups_id_fk" FOREIGN KEY ("fallback_group_id") REFERENCES "public"."groups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "groups" ADD CONSTRAINT "groups_fallback_group_id_on_invalid_request_groups_id_fk" FOREIGN KEY ("fallback_group_id_on_invalid_request") REFERENCES "public"."groups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "account_groups_group_id_index" ON "account_groups" USING btree ("group_id");--> statement-breakpoint
CREATE INDEX "api_keys_user_id_index" ON "api_keys" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "api_keys_group_id_index" ON "api_keys" USING btree ("group_id");--> statement-breakpoint
CREATE INDEX "usage_user_id_id_index" ON "usage" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "usage_api_key_id_id_index" ON "usage" USING btree ("api_key_id","id");--> statement-breakpoint
CREATE INDEX "usage_group_id_id_index" ON "usage" USING btree ("group_id","id");--> statement-breakpoint
CREATE INDEX "usage_account_id_id_index" ON "usage" USING btree ("account_id","id");--> statement-breakpoint
CREATE INDEX "usage_upstream_request_id_index" ON "usage" USING btree ("upstream_request_id");--> statement-breakpoint
CREATE INDEX "usage_created_at_index" ON "usage" USING btree ("created_at");