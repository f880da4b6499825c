-- Lots that become another type get another value
-- 2 % of the margin and 2 lots are the same line in the file and a hundred times the position. Whoever flips
-- lot_size_type has to write the number that goes with it.
-- A signal has no number of its own that its type gives a unit to: its risk is in percent either way.
SELECT
    'User' AS kind,
    new.name,
    'lot_size_type' AS field,
    format('{} → {}, and the value stays: ', old.lot_size_type, new.lot_size_type)
    || CASE new.lot_size_type
        WHEN 'FIXED' THEN format('{0:.10g} % of the margin become {0:.10g} lots', new.lot_size_value)
        ELSE format('{0:.10g} lots become {0:.10g} % of the margin', new.lot_size_value)
    END
    || '; write the number that is meant' AS message
FROM desired.user_config AS new JOIN main.user_config AS old USING (user_id)
WHERE new.path IS NOT NULL AND new.lot_size_type <> old.lot_size_type AND new.lot_size_value = old.lot_size_value
