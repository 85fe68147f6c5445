-- Did the rate change because other people came (mix), or because the same groups convert otherwise?
SELECT
    funnel,
    breakdown,
    value,
    entered_before,
    entered_after,
    reached_before,
    reached_after,
    round(100 * mix_part, 2) AS points_by_mix,
    round(100 * rate_part, 2) AS points_by_rate,
    round(100 * total_change, 2) AS points_in_all
FROM mart.funnel_change_groups
ORDER BY
    funnel,
    breakdown,
    abs(mix_part + rate_part) DESC,
    value
