-- How long is the cycle of an account, and how many people take part in the decision?
SELECT
    count(*) AS accounts,
    count(first_conversion_at) AS converted,
    quantile_disc(cycle_days, 0.5) AS median_cycle_days_of_converted,
    quantile_disc(people_before_first_conversion, 0.5) AS median_people_before_conversion,
    max(people) AS most_people
FROM mart.accounts
