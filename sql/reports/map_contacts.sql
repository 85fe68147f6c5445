-- Each kind of contact of a stage: how many of the stage's customers had it, how many of them went on to a later stage
-- afterwards, by which channel most of it came, and whose sessions ended there without a conversion. Of everybody where the
-- variable `segment` says (everybody), else of the customers of that segment.
SELECT
    stage,
    phase,
    touchpoint,
    events,
    customers,
    of_customers,
    customers / nullif(of_customers, 0) AS customer_share,
    went_on,
    went_on / nullif(customers, 0) AS onward_share,
    channel,
    sessions,
    lost_sessions,
    lost_sessions / nullif(sessions, 0) AS lost_share,
    lost_customers
FROM mart.segment_touchpoints
WHERE segment = getvariable('segment')
ORDER BY
    stage,
    customers DESC,
    phase,
    touchpoint
