-- How many conversions would be lost without each channel, and what credit follows from it?
SELECT
    channel,
    journeys,
    converted_journeys,
    round(100 * removal_effect, 1) AS lost_percent,
    round(conversions, 1) AS credited_conversions,
    all_conversions
FROM mart.attribution_markov
WHERE conversion = '(all)'
ORDER BY
    credited_conversions DESC,
    channel
