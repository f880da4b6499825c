-- The instances of a host together take at most all of its CPU
-- Limits that add up to more than 100 % are no limits: at the open all terminals are busy at once, and orders wait.
WITH instances AS (
    SELECT
        new.name,
        new.labels->>'host' AS host,
        new.cpu_limit_percent AS cpu,
        new.cpu_limit_percent - CASE old.status WHEN 'ACTIVE' THEN old.cpu_limit_percent ELSE 0 END AS rise,
        new.updated_at IS DISTINCT FROM old.updated_at AS is_changed
    FROM desired.instance_config AS new LEFT JOIN main.instance_config AS old USING (instance_id)
    WHERE new.declared_path IS NOT NULL AND new.status = 'ACTIVE'
),
hosts AS (
    SELECT host, sum(cpu) AS total, string_agg(format('{} {:.10g}', name, cpu), ', ' ORDER BY name) AS parts
    FROM instances
    WHERE host IS NOT NULL
    GROUP BY host
    HAVING total > 100 + 1e-9
)
SELECT
    'Instance' AS kind,
    name,
    'cpu_limit_percent' AS field,
    format('the instances on {} take {:.10g} % of its CPU ({}): ', host, total, parts)
    || CASE
        WHEN total - cpu <= 99 THEN format('write {:.10g} or less here', 100 - (total - cpu))
        ELSE 'lower others too, or use another host'
    END AS message
FROM instances JOIN hosts USING (host)
-- one place for each host: what took more than before, else the largest
QUALIFY row_number() OVER (PARTITION BY host ORDER BY rise DESC, is_changed DESC, cpu DESC, name) = 1
