-- Finds contacts that more purchasers reached than there are. There should be none.
SELECT
    touchpoint,
    step,
    purchasers,
    reached,
    matured_purchasers,
    matured_reached
FROM mart.adoption
WHERE
    reached > purchasers
    OR matured_reached > matured_purchasers
    OR matured_purchasers > purchasers
