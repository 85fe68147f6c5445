-- Files that the last run could not read.
FROM ops.failed_files
ORDER BY path
