"""Charts: one builder a file, rows of a table in, a figure out."""
