-- A signal risks no more than its users allow
-- The user's figure is the limit that was agreed on; a signal above it is cut down at every order, so its results are
-- not those that were tested.
WITH signals AS (
    SELECT
        new.name,
        new.risk_per_trade_percent AS risk,
        unnest(from_json(new.refs->'users', '["VARCHAR"]')) AS user_name,
        (new.risk_per_trade_percent, new.status) IS DISTINCT FROM (old.risk_per_trade_percent, old.status) AS is_changed
    FROM desired.signal_config AS new LEFT JOIN main.signal_config AS old USING (config_id)
    WHERE new.path IS NOT NULL AND new.status = 'ACTIVE'
),
users AS (
    SELECT
        new.name,
        new.risk_per_trade_percent AS risk,
        (new.risk_per_trade_percent, new.status) IS DISTINCT FROM (old.risk_per_trade_percent, old.status) AS is_changed
    FROM desired.user_config AS new LEFT JOIN main.user_config AS old USING (user_id)
    WHERE new.path IS NOT NULL AND new.status = 'ACTIVE'
),
found AS (
    SELECT
        CASE WHEN users.is_changed AND NOT signals.is_changed THEN 'User' ELSE 'Signal' END AS kind,
        CASE kind WHEN 'User' THEN users.name ELSE signals.name END AS name,
        CASE kind
            WHEN 'User' THEN format(
                'the signal {} risks {:.10g} % per trade, more than the {:.10g} % here: lower it there too',
                signals.name, signals.risk, users.risk
            )
            ELSE format(
                '{:.10g} % per trade is more than the {:.10g} % of its user {}: write {:.10g} or less',
                signals.risk, users.risk, users.name, users.risk
            )
        END AS message,
        users.risk AS most
    FROM signals JOIN users ON users.name = user_name
    WHERE signals.risk > users.risk + 1e-9
)
SELECT
    kind,
    name,
    'risk_per_trade_percent' AS field,
    min(message) || CASE WHEN count(*) > 1 THEN format(' (and {} more like it)', count(*) - 1) ELSE '' END AS message,
    CASE kind WHEN 'Signal' THEN min(most) END AS at_most
FROM found
GROUP BY kind, name
