-- How many purchasers were active again one, two, three … weeks after their first purchase?
SELECT *
FROM retention(DATE '1970-01-05', DATE '9999-12-27')
WHERE week_number <= 12
