-- JSON objects without the keys of a patch.
--
-- Reads   objects (registered: object), in their order

SELECT json_merge_patch(object, $patch)::VARCHAR AS object
FROM objects
