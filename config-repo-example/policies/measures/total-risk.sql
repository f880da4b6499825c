-- Total risk of open trades
-- What is lost, in percent of the equity, when every trade that the active users may hold is stopped out at once.
SELECT 'Total risk of open trades' AS label, sum(risk_per_trade_percent * max_open_trades) AS value, '%' AS unit
FROM desired.user_config
WHERE path IS NOT NULL AND status = 'ACTIVE'
