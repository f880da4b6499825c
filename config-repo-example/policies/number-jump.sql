-- No number grows or shrinks by more than three times at once
-- A slipped decimal point is a factor of ten, a forgotten unit a factor of a hundred. A change of that size that is
-- meant goes in steps, each with a commit and a look at what it did.
-- 0 means none: to and from it there is no factor. Lots of another type are another unit: type-flip looks at those.
WITH pairs AS (
    SELECT 'User' AS kind, new.name, unnest([
        {'field': 'lot_size_value', 'old': CASE WHEN new.lot_size_type = old.lot_size_type THEN old.lot_size_value END,
            'new': new.lot_size_value},
        {'field': 'risk_per_trade_percent', 'old': old.risk_per_trade_percent, 'new': new.risk_per_trade_percent},
        {'field': 'max_open_trades', 'old': old.max_open_trades, 'new': new.max_open_trades}
    ], recursive := TRUE)
    FROM desired.user_config AS new JOIN main.user_config AS old USING (user_id)
    WHERE new.path IS NOT NULL
    UNION ALL
    SELECT 'Account' AS kind, new.name, unnest([
        {'field': 'commission', 'old': old.commission, 'new': new.commission},
        {'field': 'margin_requirement', 'old': old.margin_requirement, 'new': new.margin_requirement},
        {'field': 'leverage', 'old': old.leverage, 'new': new.leverage}
    ], recursive := TRUE)
    FROM desired.account_config AS new JOIN main.account_config AS old USING (account_id)
    WHERE new.path IS NOT NULL
    UNION ALL
    SELECT 'Instance' AS kind, new.name, unnest([
        {'field': 'cpu_limit_percent', 'old': old.cpu_limit_percent, 'new': new.cpu_limit_percent},
        {'field': 'memory_limit_mb', 'old': old.memory_limit_mb, 'new': new.memory_limit_mb},
        {'field': 'max_trades', 'old': old.max_trades, 'new': new.max_trades},
        {'field': 'slippage_tolerance', 'old': old.slippage_tolerance, 'new': new.slippage_tolerance},
        {'field': 'connection_timeout_sec', 'old': old.connection_timeout_sec, 'new': new.connection_timeout_sec}
    ], recursive := TRUE)
    FROM desired.instance_config AS new JOIN main.instance_config AS old USING (instance_id)
    WHERE new.declared_path IS NOT NULL
    UNION ALL
    SELECT 'Signal' AS kind, new.name, unnest([
        {'field': 'risk_per_trade_percent', 'old': old.risk_per_trade_percent, 'new': new.risk_per_trade_percent}
    ], recursive := TRUE)
    FROM desired.signal_config AS new JOIN main.signal_config AS old USING (config_id)
    WHERE new.path IS NOT NULL
    UNION ALL
    SELECT 'System' AS kind, new.name, unnest([
        {'field': 'backup_interval_sec', 'old': old.backup_interval_sec, 'new': new.backup_interval_sec},
        {'field': 'max_log_size_mb', 'old': old.max_log_size_mb, 'new': new.max_log_size_mb},
        {'field': 'cache_size_mb', 'old': old.cache_size_mb, 'new': new.cache_size_mb},
        {'field': 'sync_interval_sec', 'old': old.sync_interval_sec, 'new': new.sync_interval_sec}
    ], recursive := TRUE)
    FROM desired.system_config AS new JOIN main.system_config AS old USING (config_id)
    WHERE new.path IS NOT NULL
    UNION ALL
    SELECT 'Broker' AS kind, new.name, unnest([
        {'field': 'limit_orders', 'old': old.limit_orders, 'new': new.limit_orders},
        {'field': 'commission_norm_rt', 'old': old.commission_norm_rt, 'new': new.commission_norm_rt},
        {'field': 'daily_loss_percent', 'old': old.daily_loss_percent, 'new': new.daily_loss_percent},
        {'field': 'max_loss_percent', 'old': old.max_loss_percent, 'new': new.max_loss_percent},
        {'field': 'lot.min', 'old': (old.lot->>'min')::DOUBLE, 'new': (new.lot->>'min')::DOUBLE},
        {'field': 'lot.max', 'old': (old.lot->>'max')::DOUBLE, 'new': (new.lot->>'max')::DOUBLE},
        {'field': 'lot.step', 'old': (old.lot->>'step')::DOUBLE, 'new': (new.lot->>'step')::DOUBLE}
    ], recursive := TRUE)
    FROM desired.broker_config AS new JOIN main.broker_config AS old USING (broker_id)
    WHERE new.path IS NOT NULL
    UNION ALL
    SELECT
        'Broker' AS kind, new.name, 'leverage_cap.' || cap.key, (old.leverage_cap->>cap.key)::DOUBLE,
        (cap.value->>'$')::DOUBLE
    FROM desired.broker_config AS new
    JOIN main.broker_config AS old USING (broker_id), json_each(new.leverage_cap) AS cap
    WHERE new.path IS NOT NULL
),
jumps AS (
    SELECT
        *,
        round(old * 3, 10) AS most,
        -- what a third comes to in whole steps: 2 for 4 trades, 0.034 for 0.1 lots
        CASE WHEN old = round(old) AND new = round(new) THEN 1 ELSE 10.0 ** (floor(log10(old / 3)) - 1) END AS step,
        round(ceil(old / 3 / step - 1e-9) * step, 10) AS least
    FROM pairs
    WHERE old > 0 AND new > 0 AND greatest(old / new, new / old) > 3 + 1e-9
)
SELECT
    kind,
    name,
    field,
    format('{:.10g} → {:.10g} ', old, new)
    || CASE
        WHEN new > old
            THEN format('is {:.3g} times as much, more than three times: write {:.10g} or less', new / old, most)
        ELSE format('is {:.3g} times less, more than three times: write {:.10g} or more', old / new, least)
    END
    || ', and go on from there in another commit' AS message,
    CASE WHEN new > old THEN most END AS at_most,
    CASE WHEN new < old THEN least END AS at_least
FROM jumps
