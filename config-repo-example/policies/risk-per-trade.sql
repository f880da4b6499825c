-- One trade risks at most 2 % of the equity, and never more than 5 %
-- Ten losers in a row come to every book: at 2 % each they cost 18 %, at 5 % each 40 %.
-- From 2 % on the desk wants to know, above 5 % it does not trade.
WITH risks AS (
    SELECT 'User' AS kind, name, risk_per_trade_percent AS risk FROM desired.user_config WHERE path IS NOT NULL
    UNION ALL
    SELECT 'Signal' AS kind, name, risk_per_trade_percent AS risk FROM desired.signal_config WHERE path IS NOT NULL
)
SELECT
    kind,
    name,
    'risk_per_trade_percent' AS field,
    CASE WHEN risk > 5 THEN 'error' ELSE 'warning' END AS severity,
    format('{:.10g} % at risk in one trade is more than ', risk)
    || CASE WHEN risk > 5 THEN '5 %, the most that is allowed: write 2 or less' ELSE '2 %: write 2 or less' END
    AS message,
    2 AS at_most
FROM risks
WHERE risk > 2
