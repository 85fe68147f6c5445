-- How many tables of this database have the name: 1 or 0.
SELECT count(*) AS tables
FROM duckdb_tables()
WHERE database_name = current_database()
    AND schema_name || '.' || table_name = $name
