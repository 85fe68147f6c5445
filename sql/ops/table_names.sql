-- The tables of this database, as schema.table.
SELECT schema_name || '.' || table_name AS name
FROM duckdb_tables()
WHERE database_name = current_database()
ORDER BY name
