-- The files that were loaded before.
SELECT file_id
FROM raw.files
