-- A connection time-out is at least 10 seconds
-- Servers restart on Sunday evening and take up to 12 seconds to answer. A terminal that gives up earlier never gets
-- in while the spread is widest. It may be meant for a local server, so this is a warning.
SELECT
    'Instance' AS kind,
    name,
    'connection_timeout_sec' AS field,
    'warning' AS severity,
    format('a time-out of {} s is less than 10 s: write 10 or more', connection_timeout_sec) AS message,
    10 AS at_least
FROM desired.instance_config
WHERE declared_path IS NOT NULL AND connection_timeout_sec < 10
