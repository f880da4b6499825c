-- Production does not log at DEBUG
-- DEBUG fills the disk within a day, and a full disk stops the terminals. It may be needed for an hour, so this is a
-- warning: it stays in every report until it is gone.
SELECT
    'System' AS kind,
    name,
    'log_level' AS field,
    'warning' AS severity,
    'DEBUG fills the log within a day: write INFO, or WARN' AS message
FROM desired.system_config
WHERE path IS NOT NULL AND log_level = 'DEBUG' AND starts_with(name, 'production')
