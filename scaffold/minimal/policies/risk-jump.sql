-- The risk of a trade does not more than triple in one change
-- desired.* is what the change asks for, main.* what is live; each row that comes out is a violation.
SELECT
  'User' AS kind,
  desired.user_config.name,
  'risk_per_trade_percent' AS field,
  format(
    'risk per trade goes from {} to {} percent, more than three times as much',
    main.user_config.risk_per_trade_percent,
    desired.user_config.risk_per_trade_percent
  ) AS message
FROM desired.user_config
JOIN main.user_config USING (user_id)
WHERE desired.user_config.risk_per_trade_percent > 3 * main.user_config.risk_per_trade_percent
