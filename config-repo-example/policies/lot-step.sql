-- Fixed lots lie on the broker's lot step
-- Where lots come in steps of 0.01, an order of 0.015 is refused by the server, or rounded by the terminal without a
-- word: then the book trades another size than the one that was reviewed.
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
brokers AS (
    SELECT
        new.name,
        (new.lot->>'step')::DOUBLE AS step,
        (new.lot->>'step')::DOUBLE <> (old.lot->>'step')::DOUBLE AS is_changed  -- of a broker that was there before
    FROM desired.broker_config AS new LEFT JOIN main.broker_config AS old USING (broker_id)
    WHERE new.path IS NOT NULL
),
off_step AS (
    SELECT
        users.name AS user_name,
        brokers.name AS broker_name,
        changed_account,
        lots,
        step,
        round(floor(lots / step) * step, 10) AS below,
        round(ceil(lots / step) * step, 10) AS above,
        CASE
            WHEN users.is_changed THEN 'User'
            WHEN brokers.is_changed THEN 'Broker'
            WHEN changed_account IS NOT NULL THEN 'Account'
            ELSE 'User'
        END AS kind
    FROM routes
    JOIN users ON users.name = user_name
    JOIN brokers ON brokers.name = broker_name
    WHERE abs(lots / step - round(lots / step)) > 1e-6  -- 0.3 / 0.1 is not quite 3: doubles are binary
),
found AS (
    SELECT
        kind,
        CASE kind WHEN 'User' THEN user_name WHEN 'Broker' THEN broker_name ELSE changed_account END AS name,
        CASE kind WHEN 'User' THEN 'lot_size_value' WHEN 'Broker' THEN 'lot.step' ELSE 'refs.user' END AS field,
        format('{:.10g} lots', lots) || CASE kind WHEN 'User' THEN '' ELSE ' of ' || user_name END
        || CASE kind
            WHEN 'Broker' THEN format(' is not on the step of {:.10g}', step)
            ELSE format(' is not on {}''s step of {:.10g}', broker_name, step)
        END
        || ': write ' || CASE WHEN below > 0 THEN format('{:.10g} or ', below) ELSE '' END || format('{:.10g}', above)
        || CASE kind WHEN 'User' THEN '' ELSE ' there' END AS message
    FROM off_step
)
SELECT
    kind,
    name,
    field,
    min(message) || CASE WHEN count(*) > 1 THEN format(' (and {} more like it)', count(*) - 1) ELSE '' END AS message
FROM found
GROUP BY kind, name, field
