-- How many canonical events there are.
SELECT (SELECT count(*) FROM raw.web_events) + (SELECT count(*) FROM raw.crm_events) AS events
