-- Remember which identifiers the new map points elsewhere than the old one.
--
-- Reads   core.identity_map, incoming_map (registered: CORE_IDENTITY_MAP)

INSERT INTO state.moved
SELECT
    coalesce(olds.namespace, news.namespace) AS namespace,
    coalesce(olds.value, news.value)         AS value,
    olds.customer_id                         AS old_customer_id,
    news.customer_id                         AS new_customer_id,
    olds.value IS NULL                       AS is_new
FROM core.identity_map AS olds
FULL JOIN incoming_map AS news
    ON olds.namespace = news.namespace AND olds.value = news.value
WHERE
    olds.customer_id IS DISTINCT FROM news.customer_id
    OR olds.status IS DISTINCT FROM news.status
