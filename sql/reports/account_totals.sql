-- Accounts by how many of their people are known, and how many of them have bought.
SELECT
    least(people, 10) AS people,
    count(*) AS accounts,
    count(*) FILTER (WHERE conversions > 0) AS converted,
    count(*) FILTER (WHERE conversions > 0) / nullif(count(*), 0) AS converted_share,
    median(cycle_days) AS median_cycle_days,
    sum(deals)::BIGINT AS deals,
    sum(won_deals)::BIGINT AS won_deals,
    sum(lost_deals)::BIGINT AS lost_deals,
    sum(open_deals)::BIGINT AS open_deals
FROM mart.accounts
GROUP BY ALL
ORDER BY people
