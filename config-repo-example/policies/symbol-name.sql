-- A symbol is written the way its broker writes it
-- EURUSD does not exist at a broker that calls it EURUSD.r: the terminal finds no such symbol, and the book stands
-- still without an error. Some brokers have both, with other costs.
WITH lists AS (
    SELECT
        ['USD', 'EUR', 'JPY', 'GBP', 'CAD', 'CHF', 'AUD', 'NZD', 'SEK', 'NOK', 'DKK', 'PLN', 'HUF', 'CZK', 'RON', 'TRY',
            'ZAR', 'MXN', 'SGD', 'HKD', 'CNH', 'CNY', 'THB', 'ILS', 'INR', 'KRW', 'BRL', 'XAU', 'XAG', 'XPT', 'XPD']
        AS currencies
),
accounts AS (
    SELECT
        new.name,
        new.refs->>'$.broker[0]' AS broker_name,
        new.currency_pair AS symbol,
        (new.currency_pair, new.updated_at) IS DISTINCT FROM (old.currency_pair, old.updated_at) AS is_changed
    FROM desired.account_config AS new LEFT JOIN main.account_config AS old USING (account_id)
    WHERE new.path IS NOT NULL
),
brokers AS (
    SELECT
        new.name,
        new.symbol_prefix AS prefix,
        new.symbol_suffix AS suffix,
        coalesce(new.index_suffix, new.symbol_suffix) AS index_suffix,
        old.broker_id IS NOT NULL AND new.symbol_prefix <> old.symbol_prefix AS is_prefix_changed,
        old.broker_id IS NOT NULL AND new.symbol_suffix <> old.symbol_suffix AS is_suffix_changed,
        old.broker_id IS NOT NULL AND new.index_suffix IS DISTINCT FROM old.index_suffix AS is_index_suffix_changed
    FROM desired.broker_config AS new LEFT JOIN main.broker_config AS old USING (broker_id)
    WHERE new.path IS NOT NULL
),
stripped AS (  -- of #US100.cash, US100.cash without the prefix, and the letters and digits it begins with: US100
    SELECT
        accounts.*,
        brokers.* EXCLUDE (name),
        CASE WHEN starts_with(symbol, prefix) THEN substr(symbol, length(prefix) + 1) ELSE symbol END AS rest,
        regexp_extract(rest, '[A-Za-z0-9]+') AS word
    FROM accounts JOIN brokers ON brokers.name = broker_name
),
rooted AS (  -- the name that all brokers share, without a suffix that is glued to it: EURUSD of EURUSDm
    SELECT
        *,
        regexp_full_match(word, '[A-Za-z]{1,7}[0-9]{2,4}[A-Za-z]*') AS is_index,
        CASE
            WHEN upper(word[1:3]) IN currencies AND upper(word[4:6]) IN currencies THEN word[1:6]
            WHEN is_index THEN regexp_extract(word, '^[A-Za-z]+[0-9]+')
            WHEN suffix <> '' AND ends_with(word, suffix) THEN word[1:length(word) - length(suffix)]
            ELSE word
        END AS root
    FROM stripped, lists
),
expected AS (
    SELECT
        *,
        CASE WHEN is_index THEN index_suffix ELSE suffix END AS wanted,
        prefix || root || wanted AS right_symbol
    FROM rooted
),
found AS (
    SELECT
        NOT is_changed AND (is_prefix_changed OR is_suffix_changed OR (is_index AND is_index_suffix_changed))
        AS is_brokers,
        CASE WHEN is_brokers THEN 'Broker' ELSE 'Account' END AS kind,
        CASE WHEN is_brokers THEN broker_name ELSE name END AS name,
        CASE
            WHEN NOT is_brokers THEN 'currency_pair'
            WHEN is_prefix_changed AND NOT starts_with(symbol, prefix) THEN 'symbol_prefix'
            WHEN is_index AND is_index_suffix_changed THEN 'index_suffix'
            ELSE 'symbol_suffix'
        END AS field,
        CASE WHEN is_brokers THEN format('{} of {}', symbol, expected.name) ELSE symbol END
        || CASE
            WHEN NOT starts_with(symbol, prefix) THEN format(' lacks {}''s prefix {}', broker_name, prefix)
            WHEN wanted = '' THEN format(' has a suffix, and {} has none for {}', broker_name, root)
            WHEN NOT ends_with(symbol, wanted) THEN format(' does not end with {}''s suffix {}', broker_name, wanted)
            ELSE format(' is not how {} writes {}', broker_name, root)
        END
        || format(': write {}', right_symbol)
        || CASE WHEN is_brokers THEN ' there' ELSE '' END AS message
    FROM expected
    WHERE symbol <> right_symbol
)
SELECT
    kind,
    name,
    field,
    min(message) || CASE WHEN count(*) > 1 THEN format(' (and {} more like it)', count(*) - 1) ELSE '' END AS message
FROM found
GROUP BY kind, name, field
