"""The part that touches the world: files, DuckDB, Dagster and the command line."""
