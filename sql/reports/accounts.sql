-- The fifty accounts of most people: their way to the first conversion, and their deals.
SELECT
    account_id,
    people,
    people_before_first_conversion,
    purchasers,
    conversions,
    events,
    cycle_days,
    deals,
    won_deals,
    lost_deals,
    open_deals,
    last_seen_at
FROM mart.accounts
ORDER BY people DESC, conversions DESC, account_id
LIMIT 50
