-- Finds weeks whose active customers of the week before neither return nor fall silent. There should be none.
SELECT
    this.week,
    before.active_customers AS active_before,
    this.returning_customers,
    this.dormant_customers
FROM mart.lifecycle AS this
INNER JOIN mart.lifecycle AS before
    ON this.week = before.week + 7
WHERE
    before.active_customers <> this.returning_customers + this.dormant_customers
    OR this.active_customers <> this.new_customers + this.returning_customers + this.resurrected_customers
