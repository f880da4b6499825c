-- An instance is deleted only after its accounts are switched off
-- Whoever takes away terminal and account at once leaves open trades that nobody manages. With the accounts INACTIVE
-- in a commit before, the terminal is still there to close them.
WITH declared AS (
    SELECT name FROM desired.instance_config WHERE declared_path IS NOT NULL
),
gone AS (  -- left git, and is not there under another id
    SELECT name FROM desired.instance_config WHERE declared_path IS NULL AND name NOT IN (FROM declared)
),
left_behind AS (
    SELECT new.name, new.refs->>'$.instance[0]' AS instance_name
    FROM desired.account_config AS new JOIN main.account_config AS old USING (account_id)
    -- what left git long ago is INACTIVE in both; with prune mode `off` it is ACTIVE in both, and nothing goes away
    WHERE old.status = 'ACTIVE' AND (new.path IS NOT NULL OR new.status = 'INACTIVE')
)
SELECT
    'Instance' AS kind,
    gone.name,
    '' AS field,
    format(
        '{} leaves git while its accounts are ACTIVE ({}): set them INACTIVE in a commit before', gone.name,
        string_agg(left_behind.name, ', ' ORDER BY left_behind.name)
    ) AS message
FROM left_behind JOIN gone ON gone.name = instance_name
GROUP BY gone.name
