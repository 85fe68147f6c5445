-- Forget what was read from some files, so that they are read again.
--
-- Reads   concerned (registered: file_id)

DELETE FROM raw.line_items
WHERE file_id IN (SELECT file_id FROM concerned)
