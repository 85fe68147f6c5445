-- What each group contributed to the change of a funnel's total rate: that more or fewer of it came, and that it converts otherwise.
SELECT
    value,
    reached_before,
    entered_before,
    reached_after,
    entered_after,
    mix_part,
    rate_part,
    total_change
FROM mart.funnel_change_groups
WHERE funnel = getvariable('funnel') AND breakdown = getvariable('breakdown')
ORDER BY value
