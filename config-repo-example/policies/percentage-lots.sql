-- A trade takes at most 10 % of the available margin
-- PERCENTAGE lots grow with the account. Above 10 % of the margin a handful of trades fills it, and the next swing is a
-- margin call. It may be meant, so this is a warning.
SELECT
    'User' AS kind,
    name,
    'lot_size_value' AS field,
    'warning' AS severity,
    format('{:.10g} % of the available margin for one trade is more than 10 %: write 10 or less', lot_size_value)
    AS message,
    10 AS at_most
FROM desired.user_config
WHERE path IS NOT NULL AND lot_size_type = 'PERCENTAGE' AND lot_size_value > 10
