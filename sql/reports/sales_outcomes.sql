-- The share of deals and leads won, and lost, so many days after they began, all that are open counted in.
SELECT
    object,
    outcome,
    day,
    happened,
    records,
    share,
    open
FROM mart.competing_outcomes
ORDER BY object, outcome DESC, day
