-- effective_size(reached, entered, customers, sum_yy, sum_xy, sum_xx): how many independent units a rate of repeats
-- is worth, so that wilson_low and wilson_high do not promise too much where one customer counts several times.
--
-- For each customer x attempts entered and y of them reached; p = Σy / Σx over m customers has the variance of a ratio,
-- V = m / (m − 1) · Σ(y − p·x)² / (Σx)², and is as sure as p·(1 − p) / V single customers. At p of 0 or 1 it is m.
CREATE OR REPLACE MACRO effective_size(reached, entered, customers, sum_yy, sum_xy, sum_xx) AS
CASE
    WHEN customers IS NULL OR customers = entered THEN entered::DOUBLE
    WHEN reached = 0 OR reached = entered OR customers < 2 THEN customers::DOUBLE
    ELSE coalesce(
        rate(reached, entered) * (1 - rate(reached, entered)) * entered::DOUBLE ** 2 * (customers - 1)
        / nullif(
            round_even(
                customers * (
                    sum_yy
                    - 2 * rate(reached, entered) * sum_xy
                    + rate(reached, entered) ** 2 * sum_xx
                ),
                9
            ),
            0
        ),
        entered::DOUBLE
    )
END
