-- Finds a number of customers by traffic source that is not that of the first touches. There should be none.
WITH sources AS (
    SELECT
        source,
        medium,
        any_value(customers) AS customers
    FROM mart.acquisition
    GROUP BY ALL
)

SELECT
    (SELECT coalesce(sum(customers), 0)::BIGINT FROM sources) AS customers,
    (SELECT count(*) FROM core.touches WHERE touch_number = 1) AS first_touches
WHERE customers <> first_touches
