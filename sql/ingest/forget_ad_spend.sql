-- Forget what was read from a source whose rules have changed.
DELETE FROM raw.ad_spend
WHERE source = $source
