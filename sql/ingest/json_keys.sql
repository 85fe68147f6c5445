-- The top-level keys of each line that is a JSON object; null for other lines.
--
-- Reads   lines (registered: text, problem), in their order

SELECT CASE WHEN problem IS NULL THEN json_keys(text) END AS names
FROM lines
