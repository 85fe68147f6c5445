-- The JSON that JSON strings stand for, without blanks; text that is no JSON stays as it is.
--
-- Reads   objects (registered: object), in their order

WITH texts AS (SELECT json_extract_string(object, '$') AS text FROM objects)

SELECT CASE WHEN json_valid(text) THEN json(text)::VARCHAR ELSE text END AS object
FROM texts
