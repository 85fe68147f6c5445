-- How many customers are new, return, come back after a break, or fall silent each week?
SELECT *
FROM mart.lifecycle
ORDER BY week
