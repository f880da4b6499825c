-- A limit is changed, never dropped
-- A limit that is gone looks like a tidy diff and means: without bounds. If a firm really gave one up, write the value
-- that amounts to that, so that everybody can see it.
WITH limits AS (
    SELECT new.name, unnest([
        {'field': 'daily_loss_percent', 'limit': format('{:.10g} %', old.daily_loss_percent),
            'is_gone': new.daily_loss_percent IS NULL},
        {'field': 'max_loss_percent', 'limit': format('{:.10g} %', old.max_loss_percent),
            'is_gone': new.max_loss_percent IS NULL},
        {'field': 'distinct_parameters', 'limit': CASE WHEN old.distinct_parameters THEN 'true' END,
            'is_gone': new.distinct_parameters IS DISTINCT FROM TRUE}
    ], recursive := TRUE)
    FROM desired.broker_config AS new JOIN main.broker_config AS old USING (broker_id)
    WHERE new.path IS NOT NULL
    UNION ALL
    SELECT
        new.name, 'leverage_cap.' || cap.key, format('{:.10g}', (cap.value->>'$')::DOUBLE),
        new.leverage_cap->>cap.key IS NULL
    FROM desired.broker_config AS new
    JOIN main.broker_config AS old USING (broker_id), json_each(old.leverage_cap) AS cap
    WHERE new.path IS NOT NULL
)
SELECT
    'Broker' AS kind,
    name,
    field,
    format('{} was {} and is gone: keep it, or write the value that holds now', field, "limit") AS message
FROM limits
WHERE is_gone AND "limit" IS NOT NULL
