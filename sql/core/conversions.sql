-- The conversions, robots and internal traffic aside.
SELECT *
FROM core.events
WHERE
    is_conversion
    AND is_counted
