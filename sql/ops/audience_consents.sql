-- What each customer said last in a property.
SELECT
    customer_id,
    arg_max(properties ->> $property, event_number) AS said
FROM core.events
WHERE properties ->> $property IS NOT NULL
GROUP BY customer_id
