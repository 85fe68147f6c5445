-- The tables of this database, as schema.table, with the names and types of their columns in order.
SELECT
    schema_name || '.' || table_name                               AS name,
    list(column_name || ' ' || data_type ORDER BY column_index)    AS columns
FROM duckdb_columns()
WHERE database_name = current_database()
    AND NOT internal
GROUP BY ALL
ORDER BY name
