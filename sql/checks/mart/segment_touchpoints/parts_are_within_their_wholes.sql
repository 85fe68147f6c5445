-- Finds contacts of which more went on, ended, failed or were affected than there were. There should be none.
SELECT *
FROM mart.segment_touchpoints
WHERE
    customers > of_customers
    OR went_on > customers
    OR affected > customers
    OR lost_customers > affected
    OR exits > sessions
    OR lost_sessions > exits
    OR failed_sessions > sessions
    OR converted_sessions > sessions
