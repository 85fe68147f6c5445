-- Take back what a displaced row had become.
--
-- Reads   displaced (registered: row_key)

DELETE FROM raw.ad_spend
WHERE row_key IN (SELECT row_key FROM displaced)
