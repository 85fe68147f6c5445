-- rate(n, d): n divided by d as a share; null where d is 0.
CREATE OR REPLACE MACRO rate(n, d) AS
n / nullif(d, 0)
