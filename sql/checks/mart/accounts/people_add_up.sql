-- Finds a number of people in accounts that is not that of core.customers. There should be none.
SELECT
    (SELECT coalesce(sum(people), 0)::BIGINT FROM mart.accounts) AS people,
    (SELECT count(*) FROM core.customers WHERE account_id IS NOT NULL) AS customers
WHERE people <> customers
