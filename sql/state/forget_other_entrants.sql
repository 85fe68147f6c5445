-- Take back the attempts of other funnels than these.
DELETE FROM mart.funnel_entrants
WHERE funnel NOT IN (SELECT unnest($kept::VARCHAR[]))
