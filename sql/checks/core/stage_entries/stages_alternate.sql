-- Finds entries into the stage that the customer is in already. There should be none.
SELECT
    customer_id,
    entry_number,
    stage
FROM core.stage_entries
QUALIFY stage = lag(stage) OVER (PARTITION BY customer_id ORDER BY entry_number)
