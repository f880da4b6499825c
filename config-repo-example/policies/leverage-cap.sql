-- Leverage stays within the broker's cap for the symbol
-- A cap is the regulator's or the firm's, so a higher figure here is never what the broker really gives: margin is then
-- counted wrong, and size with it. A symbol that is in no list below takes the broker's smallest cap.
WITH lists AS (
    SELECT
        -- ESMA, decision (EU) 2018/796: a pair of any two of these is a major
        ['USD', 'EUR', 'JPY', 'GBP', 'CAD', 'CHF'] AS majors,
        ['AUD', 'NZD', 'SEK', 'NOK', 'DKK', 'PLN', 'HUF', 'CZK', 'RON', 'TRY', 'ZAR', 'MXN', 'SGD', 'HKD', 'CNH', 'CNY',
            'THB', 'ILS', 'INR', 'KRW', 'BRL'] || majors AS currencies,
        -- the same decision's major indices, under the names that brokers give them
        ['US30', 'DJ30', 'WS30', 'US100', 'NAS100', 'NDX100', 'US500', 'SPX500', 'SP500', 'UK100', 'FTSE100', 'DE30',
            'DE40', 'GER30', 'GER40', 'DAX30', 'DAX40', 'FR40', 'FRA40', 'CAC40', 'EU50', 'EUSTX50', 'STOXX50', 'JP225',
            'JPN225', 'NI225', 'AU200', 'AUS200', 'ASX200'] AS major_indices
),
accounts AS (
    SELECT
        new.name AS account_name,
        new.refs->>'$.broker[0]' AS broker_name,
        new.currency_pair AS symbol,
        new.leverage,
        new.leverage IS DISTINCT FROM old.leverage AS is_leverage_changed,
        new.currency_pair IS DISTINCT FROM old.currency_pair AS is_symbol_changed
    FROM desired.account_config AS new LEFT JOIN main.account_config AS old USING (account_id)
    WHERE new.path IS NOT NULL
),
brokers AS (
    SELECT
        new.name,
        new.symbol_prefix AS prefix,
        new.leverage_cap AS caps,
        old.leverage_cap AS old_caps,
        list_min(map_values(from_json(new.leverage_cap, '"MAP(VARCHAR, DOUBLE)"'))) AS smallest
    FROM desired.broker_config AS new LEFT JOIN main.broker_config AS old USING (broker_id)
    WHERE new.path IS NOT NULL
),
symbols AS (  -- US100 of #US100.cash: what is left without the broker's prefix and suffix
    SELECT
        accounts.*,
        brokers.* EXCLUDE (name),
        regexp_extract(
            upper(CASE WHEN starts_with(symbol, prefix) THEN substr(symbol, length(prefix) + 1) ELSE symbol END),
            '[A-Z0-9]+'
        ) AS root
    FROM accounts JOIN brokers ON brokers.name = broker_name
),
classes AS (
    SELECT
        *,
        CASE
            WHEN root[1:3] = 'XAU' OR root[1:4] = 'GOLD' THEN 'gold'
            WHEN root[1:3] IN majors AND root[4:6] IN majors THEN 'fx_major'
            WHEN root[1:3] IN currencies AND root[4:6] IN currencies THEN 'fx_minor'
            WHEN regexp_extract(root, '^[A-Z]+[0-9]+') IN major_indices THEN 'index_major'
        END AS class
    FROM symbols, lists
),
capped AS (
    SELECT
        *,
        coalesce((caps->>class)::DOUBLE, smallest) AS cap,
        caps->>class IS NULL AS is_smallest,
        (caps->>class)::DOUBLE <> (old_caps->>class)::DOUBLE AS is_cap_changed
    FROM classes
),
found AS (
    SELECT
        CASE WHEN is_cap_changed AND NOT is_leverage_changed AND NOT is_symbol_changed THEN 'Broker' ELSE 'Account' END
        AS kind,
        CASE kind WHEN 'Broker' THEN broker_name ELSE account_name END AS name,
        CASE
            WHEN kind = 'Broker' THEN 'leverage_cap.' || class
            WHEN is_symbol_changed AND NOT is_leverage_changed THEN 'currency_pair'
            ELSE 'leverage'
        END AS field,
        CASE kind
            WHEN 'Broker' THEN format(
                '{} has leverage {:.10g}, above this cap of {:.10g}: lower it there too', account_name, leverage, cap
            )
            ELSE format('leverage {:.10g} is above {}''s ', leverage, broker_name)
            || CASE
                WHEN class IS NULL THEN format('smallest cap of {:.10g} (no list has {})', cap, symbol)
                WHEN is_smallest THEN format('smallest cap of {:.10g} (it states none for {})', cap, class)
                ELSE format('cap of {:.10g} for {} ({})', cap, symbol, class)
            END
            || format(': write {:.10g} or less', cap)
        END AS message,
        cap
    FROM capped
    WHERE leverage > cap + 1e-9
)
SELECT
    kind,
    name,
    field,
    min(message) || CASE WHEN count(*) > 1 THEN format(' (and {} more like it)', count(*) - 1) ELSE '' END AS message,
    CASE field WHEN 'leverage' THEN min(cap) END AS at_most
FROM found
GROUP BY kind, name, field
