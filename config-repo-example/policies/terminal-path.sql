-- No two instances of a host share an installation path
-- Two terminals in one folder overwrite each other's orders, logs and settings. Windows does not tell upper from lower
-- case, nor / from \, so neither does this rule. Which host an instance is on says its label `host`.
WITH instances AS (
    SELECT
        new.name,
        new.labels->>'host' AS host,
        new.path,
        lower(replace(new.path, '/', '\')) AS folder,
        (new.path, new.updated_at) IS DISTINCT FROM (old.path, old.updated_at) AS is_changed,
        -- the one that was there first keeps the folder
        first_value(new.name) OVER (PARTITION BY host, folder ORDER BY is_changed, new.name) AS owner,
        first_value(new.path) OVER (PARTITION BY host, folder ORDER BY is_changed, new.name) AS owners_path
    FROM desired.instance_config AS new LEFT JOIN main.instance_config AS old USING (instance_id)
    WHERE new.declared_path IS NOT NULL
)
SELECT
    'Instance' AS kind,
    name,
    'path' AS field,
    format('{} on {} is already the folder of {}', path, host, owner)
    || CASE
        WHEN path = owners_path THEN ''
        ELSE format(' ({}: upper and lower case make no other folder)', owners_path)
    END
    || ': give each terminal its own' AS message
FROM instances
WHERE host IS NOT NULL AND name <> owner
