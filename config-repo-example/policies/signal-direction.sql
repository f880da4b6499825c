-- A signal and its users trade in a common direction
-- A signal that only sells, for a user that only buys, never opens a trade: nothing fails, and a month later somebody
-- asks why the book stood still.
WITH signals AS (
    SELECT
        new.name,
        new.trade_direction AS direction,
        unnest(from_json(new.refs->'users', '["VARCHAR"]')) AS user_name,
        (new.trade_direction, new.status) IS DISTINCT FROM (old.trade_direction, old.status) AS is_changed
    FROM desired.signal_config AS new LEFT JOIN main.signal_config AS old USING (config_id)
    WHERE new.path IS NOT NULL AND new.status = 'ACTIVE'
),
users AS (
    SELECT
        new.name,
        new.trade_direction AS direction,
        (new.trade_direction, new.status) IS DISTINCT FROM (old.trade_direction, old.status) AS is_changed
    FROM desired.user_config AS new LEFT JOIN main.user_config AS old USING (user_id)
    WHERE new.path IS NOT NULL AND new.status = 'ACTIVE'
),
found AS (
    SELECT
        CASE WHEN users.is_changed AND NOT signals.is_changed THEN 'User' ELSE 'Signal' END AS kind,
        CASE kind WHEN 'User' THEN users.name ELSE signals.name END AS name,
        CASE kind
            WHEN 'User' THEN format(
                'the signal {} is {} only, this user {} only: no trade would ever open; write {} or BOTH, or change it',
                signals.name, signals.direction, users.direction, signals.direction
            )
            ELSE format(
                '{} only, but its user {} is {} only: no trade would ever open; write {} or BOTH, or change the user',
                signals.direction, users.name, users.direction, users.direction
            )
        END AS message
    FROM signals JOIN users ON users.name = user_name
    WHERE signals.direction <> users.direction AND signals.direction <> 'BOTH' AND users.direction <> 'BOTH'
)
SELECT
    kind,
    name,
    'trade_direction' AS field,
    min(message) || CASE WHEN count(*) > 1 THEN format(' (and {} more like it)', count(*) - 1) ELSE '' END AS message
FROM found
GROUP BY kind, name
