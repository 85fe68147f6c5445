-- Evidence that two identifiers are one person, by its kind, the strongest first, and by what became of it.
SELECT
    kind,
    min(strength) AS strength,
    count(*) AS pairs,
    sum(evidence_count)::BIGINT AS events,
    count(*) FILTER (WHERE status = 'applied') AS applied,
    count(*) FILTER (WHERE status = 'conflict') AS conflict,
    count(*) FILTER (WHERE status = 'capped') AS capped,
    count(*) FILTER (WHERE status = 'retracted') AS retracted
FROM core.identity_edges
GROUP BY ALL
ORDER BY
    min(strength),
    kind
