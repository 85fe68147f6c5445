-- What is known of a table that was built by some rules.
FROM state.built
WHERE name = $name AND rules = $rules
