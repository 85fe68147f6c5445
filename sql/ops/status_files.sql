-- The books of each file.
FROM ops.balances
ORDER BY source, path
