-- Finds months in which fewer subscriptions were renewed or ended than were renewed, or than ended. There should be none.
SELECT
    month,
    renewed,
    cancelled,
    expired,
    decided
FROM mart.renewals
WHERE
    decided < renewed
    OR decided < cancelled + expired
    OR decided > renewed + cancelled + expired
