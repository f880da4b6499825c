-- An account's broker_id is the id of the broker it names
-- Programs join on broker_id, people read refs.broker. If the two differ, an account trades under one broker's limits
-- and is reported under another's.
WITH accounts AS (
    SELECT
        new.name,
        new.refs->>'$.broker[0]' AS broker_name,
        new.broker_id,
        (new.broker_id, new.updated_at) IS DISTINCT FROM (old.broker_id, old.updated_at) AS is_changed
    FROM desired.account_config AS new LEFT JOIN main.account_config AS old USING (account_id)
    WHERE new.path IS NOT NULL
),
brokers AS (
    SELECT new.name, new.broker_id, old.broker_id IS NULL AS is_changed  -- another id is another row
    FROM desired.broker_config AS new LEFT JOIN main.broker_config AS old USING (broker_id)
    WHERE new.path IS NOT NULL
),
found AS (
    SELECT
        CASE WHEN brokers.is_changed AND NOT accounts.is_changed THEN 'Broker' ELSE 'Account' END AS kind,
        CASE kind WHEN 'Broker' THEN brokers.name ELSE accounts.name END AS name,
        CASE kind
            WHEN 'Broker' THEN format(
                '{} knows this broker as {}: an id never changes, write broker_id: {} again',
                accounts.name, accounts.broker_id, accounts.broker_id
            )
            ELSE format(
                '{} is not the id of {}: write broker_id: {}', accounts.broker_id, brokers.name, brokers.broker_id
            )
        END AS message
    FROM accounts JOIN brokers ON brokers.name = accounts.broker_name
    WHERE accounts.broker_id <> brokers.broker_id
)
SELECT
    kind,
    name,
    'broker_id' AS field,
    min(message) || CASE WHEN count(*) > 1 THEN format(' (and {} more like it)', count(*) - 1) ELSE '' END AS message
FROM found
GROUP BY kind, name
