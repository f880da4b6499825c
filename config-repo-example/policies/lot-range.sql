-- Fixed lots lie between the broker's smallest and largest lot
-- An order outside of that range is refused at the moment it is needed. For a prop firm the largest lot is one of the
-- rules of the evaluation: whoever breaks it has lost the account.
WITH accounts AS (
    SELECT
        new.name,
        new.refs->>'$.user[0]' AS user_name,
        new.refs->>'$.broker[0]' AS broker_name,
        new.updated_at IS DISTINCT FROM old.updated_at AS is_changed
    FROM desired.account_config AS new LEFT JOIN main.account_config AS old USING (account_id)
    WHERE new.path IS NOT NULL
),
routes AS (  -- a user reaches a broker through any number of accounts
    SELECT user_name, broker_name, min(name) FILTER (WHERE is_changed) AS changed_account
    FROM accounts
    GROUP BY ALL
),
users AS (
    SELECT
        new.name,
        new.lot_size_value AS lots,
        (new.lot_size_type, new.lot_size_value) IS DISTINCT FROM (old.lot_size_type, old.lot_size_value) AS is_changed
    FROM desired.user_config AS new LEFT JOIN main.user_config AS old USING (user_id)
    WHERE new.path IS NOT NULL AND new.lot_size_type = 'FIXED'
),
limits AS (
    SELECT
        new.name,
        unnest(['min', 'max']) AS side,
        (new.lot->>side)::DOUBLE AS bound,
        (new.lot->>side)::DOUBLE <> (old.lot->>side)::DOUBLE AS is_changed  -- of a broker that was there before
    FROM desired.broker_config AS new LEFT JOIN main.broker_config AS old USING (broker_id)
    WHERE new.path IS NOT NULL
),
outside AS (
    SELECT
        users.name AS user_name,
        limits.name AS broker_name,
        changed_account,
        lots,
        side,
        bound,
        CASE
            WHEN users.is_changed THEN 'User'
            WHEN limits.is_changed THEN 'Broker'
            WHEN changed_account IS NOT NULL THEN 'Account'
            ELSE 'User'
        END AS kind
    FROM routes
    JOIN users ON users.name = user_name
    JOIN limits ON limits.name = broker_name
    WHERE (side = 'min' AND lots < bound - 1e-9) OR (side = 'max' AND lots > bound + 1e-9)
),
found AS (
    SELECT
        kind,
        CASE kind WHEN 'User' THEN user_name WHEN 'Broker' THEN broker_name ELSE changed_account END AS name,
        CASE kind WHEN 'User' THEN 'lot_size_value' WHEN 'Broker' THEN 'lot.' || side ELSE 'refs.user' END AS field,
        format('{:.10g} lots', lots)
        || CASE kind WHEN 'User' THEN '' ELSE ' of ' || user_name END
        || CASE side WHEN 'min' THEN ' is below ' ELSE ' is above ' END
        || broker_name || CASE side WHEN 'min' THEN '''s smallest lot of ' ELSE '''s largest lot of ' END
        || format('{:.10g}: write {:.10g} or {}', bound, bound, CASE side WHEN 'min' THEN 'more' ELSE 'less' END)
        || CASE kind WHEN 'User' THEN '' ELSE ' there' END AS message,
        side,
        bound
    FROM outside
)
SELECT
    kind,
    name,
    field,
    min(message) || CASE WHEN count(*) > 1 THEN format(' (and {} more like it)', count(*) - 1) ELSE '' END AS message,
    CASE kind WHEN 'User' THEN min(bound) FILTER (WHERE side = 'max') END AS at_most,
    CASE kind WHEN 'User' THEN max(bound) FILTER (WHERE side = 'min') END AS at_least
FROM found
GROUP BY kind, name, field
