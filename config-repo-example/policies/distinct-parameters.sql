-- No two users of a prop firm have the same parameters
-- Firms take two accounts with identical settings for copy trading and close both, profits included. It holds for
-- brokers with `distinct_parameters: true`.
WITH brokers AS (
    SELECT new.name, old.broker_id IS NOT NULL AND old.distinct_parameters IS DISTINCT FROM TRUE AS is_changed
    FROM desired.broker_config AS new LEFT JOIN main.broker_config AS old USING (broker_id)
    WHERE new.path IS NOT NULL AND new.distinct_parameters
),
accounts AS (
    SELECT
        new.name,
        new.refs->>'$.user[0]' AS user_name,
        new.refs->>'$.broker[0]' AS broker_name,
        (new.status, new.updated_at) IS DISTINCT FROM (old.status, old.updated_at) AS is_changed
    FROM desired.account_config AS new LEFT JOIN main.account_config AS old USING (account_id)
    WHERE new.path IS NOT NULL AND new.status = 'ACTIVE'
),
members AS (  -- each user once with a broker, however many accounts it has there
    SELECT
        broker_name,
        user_name,
        brokers.is_changed AS is_broker_changed,
        min(accounts.name) FILTER (WHERE accounts.is_changed) AS changed_account
    FROM accounts JOIN brokers ON brokers.name = broker_name
    GROUP BY ALL
),
users AS (
    SELECT
        new.name,
        struct_pack(
            lot_size_type := new.lot_size_type,
            lot_size_value := new.lot_size_value,
            risk_per_trade_percent := new.risk_per_trade_percent,
            stop_loss_type := new.stop_loss_type,
            take_profit_type := new.take_profit_type,
            max_open_trades := new.max_open_trades,
            trade_direction := new.trade_direction
        ) AS parameters,
        CASE
            WHEN old.user_id IS NULL THEN 'lot_size_value'
            WHEN new.status <> old.status THEN 'status'
            WHEN new.lot_size_type <> old.lot_size_type THEN 'lot_size_type'
            WHEN new.lot_size_value <> old.lot_size_value THEN 'lot_size_value'
            WHEN new.risk_per_trade_percent <> old.risk_per_trade_percent THEN 'risk_per_trade_percent'
            WHEN new.stop_loss_type <> old.stop_loss_type THEN 'stop_loss_type'
            WHEN new.take_profit_type <> old.take_profit_type THEN 'take_profit_type'
            WHEN new.max_open_trades <> old.max_open_trades THEN 'max_open_trades'
            WHEN new.trade_direction <> old.trade_direction THEN 'trade_direction'
        END AS changed_field  -- NULL: all as it was
    FROM desired.user_config AS new LEFT JOIN main.user_config AS old USING (user_id)
    WHERE new.path IS NOT NULL AND new.status = 'ACTIVE'
),
ranked AS (  -- who was there first keeps its parameters
    SELECT
        *,
        first_value(user_name) OVER (
            PARTITION BY broker_name, parameters
            ORDER BY changed_field IS NOT NULL, changed_account IS NOT NULL, user_name
        ) AS original
    FROM members JOIN users ON users.name = user_name
),
copies AS (
    SELECT
        *,
        CASE
            WHEN changed_field IS NOT NULL THEN 'User'
            WHEN changed_account IS NOT NULL THEN 'Account'
            WHEN is_broker_changed THEN 'Broker'
            ELSE 'User'
        END AS kind
    FROM ranked
    WHERE user_name <> original
)
SELECT
    kind,
    CASE kind WHEN 'User' THEN user_name WHEN 'Account' THEN changed_account ELSE broker_name END AS name,
    CASE kind
        WHEN 'User' THEN coalesce(changed_field, 'lot_size_value')
        WHEN 'Account' THEN 'refs.user'
        ELSE 'distinct_parameters'
    END AS field,
    format(
        '{} has the same parameters as {}, which {} takes for copy trading: change one, the lot size for example',
        user_name, original, broker_name
    ) AS message
FROM copies
