-- Forget how a table was built: it has to be made anew as a whole.
DELETE FROM state.built
WHERE name = $name
