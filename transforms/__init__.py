"""The thinking part: pure Polars, no files, no database, no clock."""
