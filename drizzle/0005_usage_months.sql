-- The sums by month of what is on file already.
INSERT INTO "usage_daily"
SELECT
	slice || '_month', date_trunc('month', day)::date, user_id, api_key_id, group_id, account_id, model,
	sum(requests), sum(errors), sum(input_tokens), sum(output_tokens), sum(cache_creation_tokens),
	sum(cache_creation_5m_tokens), sum(cache_creation_1h_tokens), sum(cache_read_tokens), sum(cost_nanos),
	sum(list_cost_nanos), sum(account_cost_nanos), sum(duration_ms)
FROM "usage_daily"
WHERE slice IN ('key', 'key_model', 'key_account', 'full')
GROUP BY 1, 2, 3, 4, 5, 6, 7;
