-- What in the stitching a person should look at, one figure a row, with what it is counted of.
SELECT
    figure,
    subject,
    affected,
    total,
    affected / nullif(total, 0) AS share
FROM mart.identity_health
ORDER BY figure, subject
