-- Write down how a table was built.
INSERT INTO state.built BY NAME
SELECT
    $name         AS name,
    $rules        AS rules,
    $data_version AS data_version,
    CAST($horizon AS TIMESTAMPTZ) AS horizon
