-- How many events there are, how many of them are fresh, and how many are gone, in all and of the web.
SELECT
    (SELECT count(*) FROM present)           AS present,
    (SELECT count(*) FROM fresh)             AS fresh,
    (SELECT count(*) FROM gone)              AS gone,
    (SELECT count(*) FROM gone WHERE is_web) AS gone_web
