-- What each channel is worth by a Markov chain: the conversions that would be lost without it.
SELECT
    channel,
    journeys,
    converted_journeys,
    all_journeys,
    all_conversions,
    removal_effect,
    credit,
    conversions
FROM mart.attribution_markov
WHERE conversion = '(all)'
ORDER BY channel
