-- A commission is at most 15 per lot
-- 5 to 7 per lot and round turn is what brokers take. More than 15 is usually a figure in another currency, or per
-- million. It may be right for an exotic, so this is a warning.
SELECT
    'Account' AS kind,
    name,
    'commission' AS field,
    'warning' AS severity,
    format(
        'a commission of {:.10g} per lot is more than 15: write the round turn, in the account''s currency', commission
    ) AS message,
    15 AS at_most
FROM desired.account_config
WHERE path IS NOT NULL AND commission > 15
