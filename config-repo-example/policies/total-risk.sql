-- All open trades of a user together risk at most 10 %
-- Stops are hit together: the day that takes out one position takes out the correlated ones too. The worst case is
-- risk_per_trade_percent times max_open_trades.
WITH users AS (
    SELECT
        new.name,
        new.risk_per_trade_percent AS risk,
        new.max_open_trades AS trades,
        new.risk_per_trade_percent * new.max_open_trades AS total,
        new.risk_per_trade_percent IS DISTINCT FROM old.risk_per_trade_percent AS is_risk_changed,
        new.max_open_trades IS DISTINCT FROM old.max_open_trades AS is_trades_changed
    FROM desired.user_config AS new LEFT JOIN main.user_config AS old USING (user_id)
    WHERE new.path IS NOT NULL
)
SELECT
    'User' AS kind,
    name,
    CASE WHEN is_trades_changed AND NOT is_risk_changed THEN 'max_open_trades' ELSE 'risk_per_trade_percent' END
    AS field,
    format('{} trades of {:.10g} % each risk {:.10g} % together, more than 10 %: ', trades, risk, total)
    || CASE
        WHEN field = 'max_open_trades' AND risk <= 10
            THEN format('write {} or less, or a smaller risk_per_trade_percent', floor(10 / risk + 1e-9)::INTEGER)
        ELSE format('write risk_per_trade_percent: {:.10g} or less, or fewer trades', floor(1000 / trades + 1e-9) / 100)
    END AS message,
    CASE
        WHEN field = 'risk_per_trade_percent' THEN floor(1000 / trades + 1e-9) / 100
        WHEN risk <= 10 THEN floor(10 / risk + 1e-9)
    END AS at_most
FROM users
WHERE total > 10 + 1e-9
