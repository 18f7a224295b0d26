-- The builder knows no partitions, so the two tables that have them are made anew and filled by hand.
ALTER TABLE "usage" RENAME TO "usage_whole";
--> statement-breakpoint
ALTER TABLE "usage_attempts" RENAME TO "usage_attempts_whole";
--> statement-breakpoint
ALTER TABLE "usage_whole" ADD COLUMN "list_cost_nanos" bigint;
--> statement-breakpoint
DROP INDEX "usage_user_id_id_index";
--> statement-breakpoint
DROP INDEX "usage_api_key_id_id_index";
--> statement-breakpoint
DROP INDEX "usage_group_id_id_index";
--> statement-breakpoint
DROP INDEX "usage_account_id_id_index";
--> statement-breakpoint
DROP INDEX "usage_upstream_request_id_index";
--> statement-breakpoint
DROP INDEX "usage_created_at_index";
--> statement-breakpoint
DROP INDEX "usage_attempts_account_id_started_at_index";
--> statement-breakpoint
ALTER TABLE "usage_attempts_whole" DROP CONSTRAINT "usage_attempts_request_id_number_pk";
--> statement-breakpoint
CREATE TABLE "usage" (LIKE "usage_whole" INCLUDING DEFAULTS) PARTITION BY RANGE ("created_at");
--> statement-breakpoint
ALTER SEQUENCE "usage_id_seq" OWNED BY "usage"."id";
--> statement-breakpoint
CREATE TABLE "usage_attempts" (LIKE "usage_attempts_whole", "created_at" timestamp with time zone NOT NULL) PARTITION BY RANGE ("created_at");
--> statement-breakpoint
CREATE TABLE "usage_horizon" (
	"is_only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"dropped_before" timestamp with time zone,
	CONSTRAINT "usage_horizon_is_only_check" CHECK ("usage_horizon"."is_only")
);
--> statement-breakpoint
INSERT INTO "usage_horizon" DEFAULT VALUES;
--> statement-breakpoint
CREATE TABLE "usage_requests" (
	"request_id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage_daily" (
	"slice" text NOT NULL,
	"day" date NOT NULL,
	"user_id" bigint NOT NULL,
	"api_key_id" bigint NOT NULL,
	"group_id" bigint NOT NULL,
	"account_id" bigint NOT NULL,
	"model" text NOT NULL,
	"requests" bigint NOT NULL,
	"errors" bigint NOT NULL,
	"input_tokens" bigint NOT NULL,
	"output_tokens" bigint NOT NULL,
	"cache_creation_tokens" bigint NOT NULL,
	"cache_creation_5m_tokens" bigint NOT NULL,
	"cache_creation_1h_tokens" bigint NOT NULL,
	"cache_read_tokens" bigint NOT NULL,
	"cost_nanos" bigint NOT NULL,
	"list_cost_nanos" bigint NOT NULL,
	"account_cost_nanos" bigint NOT NULL,
	"duration_ms" bigint NOT NULL,
	CONSTRAINT "usage_daily_pk" PRIMARY KEY("slice","day","user_id","api_key_id","group_id","account_id","model")
) WITH (fillfactor = 70);
--> statement-breakpoint
ALTER TABLE "usage" ADD CONSTRAINT "usage_request_id_created_at_pk" PRIMARY KEY("request_id","created_at");
--> statement-breakpoint
ALTER TABLE "usage_attempts" ADD CONSTRAINT "usage_attempts_request_id_number_created_at_pk" PRIMARY KEY("request_id","number","created_at");
--> statement-breakpoint
CREATE INDEX "usage_daily_user_id_day_index" ON "usage_daily" USING btree ("slice","user_id","day") WHERE "usage_daily"."slice" in ('key_model', 'key_account', 'full');
--> statement-breakpoint
CREATE INDEX "usage_daily_api_key_id_day_index" ON "usage_daily" USING btree ("slice","api_key_id","day") WHERE "usage_daily"."slice" in ('key_model', 'key_account', 'full');
--> statement-breakpoint
CREATE INDEX "usage_daily_group_id_day_index" ON "usage_daily" USING btree ("slice","group_id","day") WHERE "usage_daily"."slice" in ('key_model', 'key_account', 'full');
--> statement-breakpoint
CREATE INDEX "usage_daily_account_id_day_index" ON "usage_daily" USING btree ("slice","account_id","day") WHERE "usage_daily"."slice" in ('key_model', 'key_account', 'full');
--> statement-breakpoint
CREATE INDEX "usage_daily_model_day_index" ON "usage_daily" USING btree ("slice","model","day") WHERE "usage_daily"."slice" in ('key_model', 'key_account', 'full');
--> statement-breakpoint
CREATE INDEX "usage_requests_created_at_index" ON "usage_requests" USING btree ("created_at");
--> statement-breakpoint
CREATE INDEX "usage_user_id_created_at_index" ON "usage" USING btree ("user_id","created_at");
--> statement-breakpoint
CREATE INDEX "usage_api_key_id_created_at_index" ON "usage" USING btree ("api_key_id","created_at");
--> statement-breakpoint
CREATE INDEX "usage_group_id_created_at_index" ON "usage" USING btree ("group_id","created_at");
--> statement-breakpoint
CREATE INDEX "usage_account_id_created_at_index" ON "usage" USING btree ("account_id","created_at");
--> statement-breakpoint
CREATE INDEX "usage_model_created_at_index" ON "usage" USING btree ("model","created_at");
--> statement-breakpoint
CREATE INDEX "usage_subscription_id_created_at_index" ON "usage" USING btree ("subscription_id","created_at") WHERE "usage"."subscription_id" is not null;
--> statement-breakpoint
CREATE INDEX "usage_status_created_at_index" ON "usage" USING btree ("status","created_at") WHERE "usage"."status" <> 'completed';
--> statement-breakpoint
CREATE INDEX "usage_upstream_request_id_index" ON "usage" USING btree ("upstream_request_id") WHERE "usage"."upstream_request_id" is not null;
--> statement-breakpoint
CREATE INDEX "usage_created_at_index" ON "usage" USING btree ("created_at");
--> statement-breakpoint
-- A key says whose it is and mostly in which group, so their shares must not be multiplied.
CREATE STATISTICS "usage_key_statistics" (dependencies) ON "user_id", "api_key_id", "group_id" FROM "usage";
--> statement-breakpoint
CREATE INDEX "usage_attempts_account_id_started_at_index" ON "usage_attempts" USING btree ("account_id","started_at");
--> statement-breakpoint
-- Makes the partitions of a month unless they are there; false where the month was dropped, which is not made
-- again, or is none of the years 1970 to 9998.
-- Attaching, other than making a table as a partition, waits for nobody who reads or writes.
CREATE FUNCTION make_usage_month(moment timestamp with time zone) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	began timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
	month_name text := to_char(began, 'YYYY_MM');
	kind text;
BEGIN
	PERFORM pg_advisory_xact_lock(8319665874163754085);
	IF began NOT BETWEEN '1970-01-01' AND '9998-12-01'
		OR began AT TIME ZONE 'UTC' < (SELECT dropped_before FROM usage_horizon) THEN
		RETURN false;
	END IF;
	FOREACH kind IN ARRAY ARRAY['usage', 'usage_attempts'] LOOP
		IF to_regclass(format('%I', kind || '_' || month_name)) IS NULL THEN
			EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', kind || '_' || month_name, kind);
			EXECUTE format(
				'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', kind, kind || '_' || month_name,
				began AT TIME ZONE 'UTC', (began + interval '1 month') AT TIME ZONE 'UTC'
			);
		END IF;
	END LOOP;
	RETURN true;
END $$;
--> statement-breakpoint
-- Drops the oldest month that ended at least so many months ago, and says which; null where there is none.
-- It goes by the clock of the database: a node whose own is wrong must not drop books. While somebody reads a table
-- it cannot be dropped, and who waits for that is in everybody's way: it is given up after a second.
CREATE FUNCTION drop_usage_month(months_kept integer) RETURNS text LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
	horizon timestamp with time zone :=
		(date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => months_kept)) AT TIME ZONE 'UTC';
	oldest text;
BEGIN
	PERFORM pg_advisory_xact_lock(8319665874163754085);
	UPDATE usage_horizon SET dropped_before = greatest(dropped_before, horizon);
	SELECT substr(relname, 7) INTO oldest
	FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
	WHERE inhparent = 'usage'::regclass AND substr(relname, 7) < to_char(horizon AT TIME ZONE 'UTC', 'YYYY_MM')
	ORDER BY 1 LIMIT 1;
	IF oldest IS NOT NULL THEN
		-- In the order in which bookings lock them.
		EXECUTE format('DROP TABLE %I, %I', 'usage_' || oldest, 'usage_attempts_' || oldest);
	END IF;
	RETURN oldest;
END $$;
--> statement-breakpoint
SELECT make_usage_month(created_at) FROM (SELECT DISTINCT date_trunc('month', created_at, 'UTC') AS created_at FROM usage_whole) months;
--> statement-breakpoint
SELECT make_usage_month(now()), make_usage_month(date_trunc('month', now(), 'UTC') + interval '32 days');
--> statement-breakpoint
INSERT INTO "usage_requests" SELECT request_id, created_at FROM "usage_whole";
--> statement-breakpoint
INSERT INTO "usage" SELECT * FROM "usage_whole";
--> statement-breakpoint
INSERT INTO "usage_attempts" SELECT attempt.*, created_at FROM "usage_attempts_whole" attempt JOIN "usage_whole" USING (request_id);
--> statement-breakpoint
INSERT INTO "usage_daily"
SELECT
	CASE grouping(user_id, api_key_id, group_id, account_id, model)
		WHEN 30 THEN 'model' WHEN 27 THEN 'group' WHEN 29 THEN 'account' WHEN 15 THEN 'user'
		WHEN 26 THEN 'group_model' WHEN 25 THEN 'group_account' WHEN 28 THEN 'account_model'
		WHEN 3 THEN 'key' WHEN 2 THEN 'key_model' WHEN 1 THEN 'key_account' WHEN 0 THEN 'full'
	END,
	day, coalesce(user_id, 0), coalesce(api_key_id, 0), coalesce(group_id, 0), coalesce(account_id, 0), coalesce(model, ''),
	count(*), count(*) FILTER (WHERE status IN ('upstream_broke', 'upstream_stalled', 'failed')),
	sum(input_tokens), sum(output_tokens), sum(cache_creation_tokens), sum(cache_creation_5m_tokens),
	sum(cache_creation_1h_tokens), sum(cache_read_tokens), coalesce(sum(cost_nanos), 0), coalesce(sum(cost_nanos), 0),
	coalesce(sum(coalesce(account_cost_nanos, cost_nanos)), 0), sum(duration_ms)
FROM (
	SELECT
		(created_at AT TIME ZONE 'UTC')::date AS day, user_id, api_key_id, group_id, coalesce(account_id, 0) AS account_id, model,
		status, input_tokens, output_tokens, cache_creation_tokens, cache_creation_5m_tokens, cache_creation_1h_tokens,
		cache_read_tokens, cost_nanos, account_cost_nanos, duration_ms
	FROM usage_whole
) filed
GROUP BY GROUPING SETS (
	(day, model), (day, group_id), (day, account_id), (day, user_id),
	(day, group_id, model), (day, group_id, account_id), (day, account_id, model),
	(day, user_id, api_key_id, group_id), (day, user_id, api_key_id, group_id, model),
	(day, user_id, api_key_id, group_id, account_id), (day, user_id, api_key_id, group_id, account_id, model)
);
--> statement-breakpoint
DROP TABLE "usage_attempts_whole";
--> statement-breakpoint
DROP TABLE "usage_whole";
