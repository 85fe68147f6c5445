-- wilson_low(n, d): low end of the Wilson 95 % interval of n of d; null where d is 0. 3 of 10 gives 0.107791,
-- 0 of 10 gives 0 and never a negative zero.
CREATE OR REPLACE MACRO wilson_low(n, d) AS
abs(
    greatest(
        round_even(
            (
                rate(n, d::DOUBLE) + 1.959963984540054 ** 2 / (2 * nullif(d::DOUBLE, 0))
                - 1.959963984540054 * sqrt(
                    greatest(rate(n, d::DOUBLE) * (1 - rate(n, d::DOUBLE)), 0) / nullif(d::DOUBLE, 0)
                    + 1.959963984540054 ** 2 / (4 * nullif(d::DOUBLE, 0) ** 2)
                )
            ) / (1 + 1.959963984540054 ** 2 / nullif(d::DOUBLE, 0)),
            6
        ),
        CASE WHEN d > 0 THEN 0 END
    )
)
