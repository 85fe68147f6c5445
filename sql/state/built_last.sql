-- What is known of a table, by whatever rules it was built.
FROM state.built
WHERE name = $name
