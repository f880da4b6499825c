-- An active account names its broker, user and instance
-- The other rules follow these names: an account without them trades outside of every limit of its broker, its user and
-- its terminal.
WITH accounts AS (
    SELECT
        name,
        [role FOR role IN ['broker', 'user', 'instance'] IF refs->>format('$.{}[0]', role) IS NULL] AS missing
    FROM desired.account_config
    WHERE path IS NOT NULL AND status = 'ACTIVE'
)
SELECT
    'Account' AS kind,
    name,
    'refs.' || missing[1] AS field,
    format(
        'an ACTIVE account belongs to a broker, a user and an instance: name its {} under refs, or set it INACTIVE',
        array_to_string(missing, ' and ')
    ) AS message
FROM accounts
WHERE len(missing) > 0
