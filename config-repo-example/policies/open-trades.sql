-- An instance takes all the trades that its users may open
-- At max_trades a terminal opens no more. If its users may open more than that together, whose order comes last is
-- left out, a hedge for example.
WITH users AS (
    SELECT
        new.name,
        new.max_open_trades AS trades,
        new.max_open_trades > CASE old.status WHEN 'ACTIVE' THEN old.max_open_trades ELSE 0 END AS has_risen
    FROM desired.user_config AS new LEFT JOIN main.user_config AS old USING (user_id)
    WHERE new.path IS NOT NULL AND new.status = 'ACTIVE'
),
accounts AS (
    SELECT
        new.name,
        new.refs->>'$.user[0]' AS user_name,
        new.refs->>'$.instance[0]' AS instance_name,
        (new.status, new.updated_at) IS DISTINCT FROM (old.status, old.updated_at) AS is_changed
    FROM desired.account_config AS new LEFT JOIN main.account_config AS old USING (account_id)
    WHERE new.path IS NOT NULL AND new.status = 'ACTIVE'
),
seats AS (  -- each user once on an instance, however many accounts it has there
    SELECT
        instance_name,
        users.name AS user_name,
        trades,
        has_risen,
        min(accounts.name) FILTER (WHERE is_changed) AS changed_account
    FROM accounts JOIN users ON users.name = user_name
    GROUP BY ALL
),
instances AS (
    SELECT
        new.name,
        new.max_trades,
        old.instance_id IS NULL AS is_new,
        coalesce(new.max_trades < old.max_trades, FALSE) AS has_fallen
    FROM desired.instance_config AS new LEFT JOIN main.instance_config AS old USING (instance_id)
    WHERE new.declared_path IS NOT NULL
),
overbooked AS (
    SELECT
        instances.name,
        instances.max_trades,
        sum(trades) AS total,
        string_agg(format('{} {}', user_name, trades), ', ' ORDER BY user_name) AS parts,
        -- of a new instance, and of one whose limit fell, that limit is what a reviewer has to look at
        NOT any_value(is_new) AND bool_or(has_risen) AS is_users,
        NOT any_value(is_new OR has_fallen) AND bool_or(changed_account IS NOT NULL) AS is_accounts
    FROM seats JOIN instances ON instances.name = instance_name
    GROUP BY instances.name, instances.max_trades
    HAVING total > instances.max_trades
),
blamed AS (
    SELECT
        overbooked.*,
        CASE WHEN is_users THEN 'User' WHEN is_accounts THEN 'Account' ELSE 'Instance' END AS kind,
        CASE kind WHEN 'User' THEN user_name WHEN 'Account' THEN changed_account ELSE instance_name END AS blamed_name,
        CASE kind WHEN 'User' THEN 'max_open_trades' WHEN 'Account' THEN 'refs.instance' ELSE 'max_trades' END AS field
    FROM overbooked JOIN seats ON instance_name = overbooked.name
    WHERE CASE kind WHEN 'User' THEN has_risen WHEN 'Account' THEN changed_account IS NOT NULL ELSE TRUE END
)
SELECT DISTINCT
    kind,
    blamed_name AS name,
    field,
    format('the users on {} may open {} trades ({}), but it takes {}: ', name, total, parts, max_trades)
    || CASE kind
        WHEN 'Instance' THEN format('write {} or more, or lower max_open_trades of a user', total)
        ELSE format('{} too many, lower max_open_trades or raise max_trades of {}', total - max_trades, name)
    END AS message
FROM blamed
