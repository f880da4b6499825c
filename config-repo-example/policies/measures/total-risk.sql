-- Total risk of open trades
-- What is lost, in percent of the equity, when every trade that the active users may hold is stopped out at once.
-- The status decides, not whether git declares the row: with `prune: off` a row that leaves git goes on trading.
SELECT 'Total risk of open trades' AS label, sum(risk_per_trade_percent * max_open_trades) AS value, '%' AS unit
FROM desired.user_config
WHERE status = 'ACTIVE'
