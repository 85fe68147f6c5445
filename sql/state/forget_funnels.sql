-- Forget how other funnels than these were searched.
DELETE FROM state.built
WHERE starts_with(name, 'funnel ') AND name NOT IN (SELECT 'funnel ' || unnest($kept::VARCHAR[]))
