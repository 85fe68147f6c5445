-- Finds pairs of stages that more customers reached than entered. There should be none.
SELECT
    from_stage,
    to_stage,
    entered,
    reached,
    matured_entered,
    matured_reached
FROM mart.stage_conversion
WHERE
    reached > entered
    OR matured_entered > entered
    OR matured_reached > matured_entered
    OR matured_reached > reached
