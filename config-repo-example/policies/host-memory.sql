-- The instances of a host together fit into 3 GB of memory
-- The desk rents hosts with 4 GB, and Windows takes one of them. Beyond that the host swaps, and a tick takes seconds.
-- After a move to larger hosts, change the figure in `budget`, and nothing else in that commit.
WITH budget(memory_mb) AS (
    VALUES (3072)
),
instances AS (
    SELECT
        new.name,
        new.labels->>'host' AS host,
        new.memory_limit_mb AS memory,
        new.memory_limit_mb - CASE old.status WHEN 'ACTIVE' THEN old.memory_limit_mb ELSE 0 END AS rise,
        new.updated_at IS DISTINCT FROM old.updated_at AS is_changed
    FROM desired.instance_config AS new LEFT JOIN main.instance_config AS old USING (instance_id)
    WHERE new.declared_path IS NOT NULL AND new.status = 'ACTIVE'
),
hosts AS (
    SELECT host, sum(memory) AS total, string_agg(format('{} {:.10g}', name, memory), ', ' ORDER BY name) AS parts
    FROM instances
    WHERE host IS NOT NULL
    GROUP BY host
)
SELECT
    'Instance' AS kind,
    name,
    'memory_limit_mb' AS field,
    format('the instances on {} take {:.10g} MB ({}), and the host has {} for them: ', host, total, parts, memory_mb)
    || CASE
        WHEN total - memory <= memory_mb - 256 THEN format('write {:.10g} or less here', memory_mb - (total - memory))
        ELSE 'lower others too, or use another host'
    END AS message
FROM instances JOIN hosts USING (host), budget
WHERE total > memory_mb + 1e-9
-- one place for each host: what took more than before, else the largest
QUALIFY row_number() OVER (PARTITION BY host ORDER BY rise DESC, is_changed DESC, memory DESC, name) = 1
