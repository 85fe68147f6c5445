-- The wanted values of each line as a struct of text; null where the line is no JSON object.
--
-- Reads   lines (registered: text, problem), in their order

WITH judged AS (
    SELECT
        text,
        problem IS NULL AND starts_with(ltrim(text, e' \t\r\n'), '{') AND json_valid(text) AS is_object
    FROM lines
)

SELECT
    is_object,
    CASE WHEN is_object THEN json_transform(text, $shape) END AS document
FROM judged
