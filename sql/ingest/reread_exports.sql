-- Forget which versions some files hold, to enter them anew.
--
-- Reads   concerned (registered: file_id)

DELETE FROM raw.exports
WHERE file_id IN (SELECT file_id FROM concerned)
