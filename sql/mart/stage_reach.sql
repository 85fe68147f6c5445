-- mart.stage_reach: How many customers ever entered each stage, wherever they began.
--
-- Grain   stage
-- Reads   core.customers, core.stage_entries, mart.stage_conversion
-- Note    a stage nobody entered is shown with 0; a customer who skipped a stage is not counted in it
--
-- column stage: The stage.
-- column stage_number: Its place in the journey, from 1.
-- column customers: Customers who ever entered it.
-- column of_customers: Customers with any event.
-- column customer_rate: customers / of_customers.
-- column customer_rate_low: Low end of the Wilson 95 % interval of customer_rate.
-- column customer_rate_high: High end of the Wilson 95 % interval of customer_rate.
-- column leads: Of the customers who entered it, those with a CRM lead or contact.
-- column of_leads: Customers with a CRM lead or contact.
-- column lead_rate: leads / of_leads.
-- column visitors: Of the customers who entered it, those seen with a browser or device.
-- column of_visitors: Customers seen with a browser or device (each person once).
-- column visitor_rate: visitors / of_visitors.
-- column customers_now: Customers who are in it at the horizon.

WITH stages AS (
    SELECT
        from_stage AS stage,
        from_stage_number AS stage_number
    FROM mart.stage_conversion
    UNION
    SELECT
        to_stage AS stage,
        to_stage_number AS stage_number
    FROM mart.stage_conversion
    UNION
    SELECT
        stage,
        stage_number
    FROM core.stage_entries
),

totals AS (
    SELECT
        count(*) FILTER (WHERE event_count > 0) AS of_customers,
        count(*) FILTER (WHERE is_lead) AS of_leads,
        count(*) FILTER (WHERE visitor_count > 0) AS of_visitors
    FROM core.customers
),

reached AS (
    SELECT
        entries.stage,
        count(*) AS customers,
        count(*) FILTER (WHERE customers.is_lead) AS leads,
        count(*) FILTER (WHERE customers.visitor_count > 0) AS visitors,
        count(*) FILTER (WHERE customers.current_stage = entries.stage) AS customers_now
    FROM core.stage_entries AS entries
    INNER JOIN core.customers AS customers
        ON entries.customer_id = customers.customer_id
    WHERE entries.is_first
    GROUP BY entries.stage
)

SELECT
    stages.stage,
    stages.stage_number,
    coalesce(reached.customers, 0) AS customers,
    totals.of_customers,
    rate(coalesce(reached.customers, 0), totals.of_customers) AS customer_rate,
    wilson_low(coalesce(reached.customers, 0), totals.of_customers) AS customer_rate_low,
    wilson_high(coalesce(reached.customers, 0), totals.of_customers) AS customer_rate_high,
    coalesce(reached.leads, 0) AS leads,
    totals.of_leads,
    rate(coalesce(reached.leads, 0), totals.of_leads) AS lead_rate,
    coalesce(reached.visitors, 0) AS visitors,
    totals.of_visitors,
    rate(coalesce(reached.visitors, 0), totals.of_visitors) AS visitor_rate,
    coalesce(reached.customers_now, 0) AS customers_now
FROM stages
CROSS JOIN totals
LEFT JOIN reached
    ON stages.stage = reached.stage
ORDER BY stages.stage_number
