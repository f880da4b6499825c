-- An active account has an active user and an active instance
-- The account of a user or terminal that is switched off looks live in every report and trades nothing; or it does
-- trade, because somebody started the terminal by hand.
WITH accounts AS (
    SELECT
        new.name,
        new.refs->>'$.user[0]' AS user_name,
        new.refs->>'$.instance[0]' AS instance_name,
        old.status IS DISTINCT FROM 'ACTIVE' AS is_switched_on
    FROM desired.account_config AS new LEFT JOIN main.account_config AS old USING (account_id)
    WHERE new.path IS NOT NULL AND new.status = 'ACTIVE'
),
switched_off AS (
    SELECT 'User' AS kind, new.name, old.status = 'ACTIVE' AS is_changed
    FROM desired.user_config AS new LEFT JOIN main.user_config AS old USING (user_id)
    WHERE new.path IS NOT NULL AND new.status = 'INACTIVE'
    UNION ALL
    SELECT 'Instance' AS kind, new.name, old.status = 'ACTIVE' AS is_changed
    FROM desired.instance_config AS new LEFT JOIN main.instance_config AS old USING (instance_id)
    WHERE new.declared_path IS NOT NULL AND new.status = 'INACTIVE'
),
links AS (
    SELECT *, 'User' AS kind, user_name AS target FROM accounts
    UNION ALL
    SELECT *, 'Instance' AS kind, instance_name AS target FROM accounts
),
conflicts AS (
    SELECT
        links.name AS account_name,
        links.kind AS target_kind,
        links.target,
        coalesce(switched_off.is_changed, FALSE) AND NOT links.is_switched_on AS is_targets
    FROM links JOIN switched_off ON switched_off.kind = links.kind AND switched_off.name = links.target
)
SELECT
    target_kind AS kind,
    target AS name,
    'status' AS field,
    format(
        '{} has ACTIVE accounts ({}): set them INACTIVE in the same commit', target,
        string_agg(account_name, ', ' ORDER BY account_name)
    ) AS message
FROM conflicts
WHERE is_targets
GROUP BY target_kind, target
UNION ALL
SELECT
    'Account' AS kind,
    account_name AS name,
    'status' AS field,
    format(
        'the account is ACTIVE, but its {} {} is INACTIVE: set the account INACTIVE, or {} ACTIVE',
        lower(target_kind), target, target
    ) AS message
FROM conflicts
WHERE NOT is_targets
