-- The headline rates over customers, and over each browser or device by itself.
SELECT
    figure,
    subject,
    target,
    reached,
    entered,
    rate,
    alone_reached,
    alone_entered,
    alone_rate
FROM mart.identity_sensitivity
ORDER BY figure, subject, target
