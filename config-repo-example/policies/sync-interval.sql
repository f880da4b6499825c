-- History is synchronised at least as often as backups are made
-- A backup that is newer than the last synchronisation holds states that the history has never seen.
WITH systems AS (
    SELECT
        new.name,
        new.sync_interval_sec AS sync,
        new.backup_interval_sec AS backup,
        new.sync_interval_sec IS DISTINCT FROM old.sync_interval_sec AS is_sync_changed,
        new.backup_interval_sec IS DISTINCT FROM old.backup_interval_sec AS is_backup_changed
    FROM desired.system_config AS new LEFT JOIN main.system_config AS old USING (config_id)
    WHERE new.path IS NOT NULL
)
SELECT
    'System' AS kind,
    name,
    CASE WHEN is_backup_changed AND NOT is_sync_changed THEN 'backup_interval_sec' ELSE 'sync_interval_sec' END
    AS field,
    CASE field
        WHEN 'sync_interval_sec'
            THEN format('a sync every {0} s is less often than a backup every {1} s: write {1} or less', sync, backup)
        ELSE format('a backup every {0} s is more often than a sync every {1} s: write {1} or more', backup, sync)
    END AS message,
    CASE field WHEN 'sync_interval_sec' THEN backup END AS at_most,
    CASE field WHEN 'backup_interval_sec' THEN sync END AS at_least
FROM systems
WHERE sync > backup
