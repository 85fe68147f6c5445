-- Customers who are new, come back, return after a break or fall silent, week by week.
SELECT
    week,
    active_customers,
    new_customers,
    returning_customers,
    resurrected_customers,
    dormant_customers
FROM mart.lifecycle
ORDER BY week
