-- Files of the last run that could not be read; nothing of them was loaded.
SELECT
    path,
    source,
    problem
FROM ops.failed_files
ORDER BY path
