-- Take back the groups of the attempts of other funnels than these.
DELETE FROM mart.funnel_entrant_groups
WHERE funnel NOT IN (SELECT unnest($kept::VARCHAR[]))
