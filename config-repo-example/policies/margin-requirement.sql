-- The margin requirement covers the leverage
-- 1:30 means that a position ties up 100 / 30 = 3.34 % of its value. With a smaller figure here the program believes in
-- margin that the broker has already taken, and opens one trade too many.
WITH accounts AS (
    SELECT
        new.name,
        new.leverage,
        new.margin_requirement AS margin,
        100 / new.leverage AS needed,
        new.leverage IS DISTINCT FROM old.leverage AS is_leverage_changed,
        new.margin_requirement IS DISTINCT FROM old.margin_requirement AS is_margin_changed
    FROM desired.account_config AS new LEFT JOIN main.account_config AS old USING (account_id)
    WHERE new.path IS NOT NULL
)
SELECT
    'Account' AS kind,
    name,
    CASE WHEN is_leverage_changed AND NOT is_margin_changed THEN 'leverage' ELSE 'margin_requirement' END AS field,
    format(
        'a margin of {:.10g} % is less than 100 / {:.10g}: write margin_requirement: {:.10g} or more',
        margin, leverage, ceil(needed * 100 - 1e-6) / 100
    ) AS message,
    CASE field WHEN 'margin_requirement' THEN ceil(needed * 100 - 1e-6) / 100 END AS at_least
FROM accounts
WHERE margin < needed - 1e-9
