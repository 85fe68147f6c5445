-- mart.identity_health: What in the stitching a person should look at, one figure a row, with what it is counted of.
--
-- Grain   figure, subject
-- Reads   core.customers, core.identity_edges, core.identity_map, mart.identity_bridges
-- Note    multi_strong: identified customers of several values of a strong namespace. hanging: customers of four identifiers
--         or more that one pair of identifiers holds together (mart.identity_bridges). shared: browsers and devices of several
--         people, or beyond the cap (mart.identity_shared). unrecognised: those that nothing ties to a person. hub: addresses
--         of too many people. conflict, capped, retracted: edges that are not applied, by kind.
--
-- column figure: multi_strong, hanging, shared, unrecognised, hub, conflict, capped or retracted.
-- column subject: What is counted: customers, a namespace, or a kind of evidence.
-- column affected: How many of them it concerns.
-- column total: How many there are.
-- column share: affected / total.

WITH customers AS (
    SELECT
        count(*) FILTER (WHERE is_multi_strong) AS multi_strong,
        count(*) FILTER (WHERE is_identified) AS identified,
        count(*) FILTER (WHERE identifier_count >= 4) AS large
    FROM core.customers
),

hanging AS (
    SELECT count(DISTINCT customer_id) AS customers
    FROM mart.identity_bridges
),

identifiers AS (
    SELECT
        namespace,
        namespace IN ('anonymous_id', 'device_id') AS is_visitor,
        namespace IN ('email', 'phone') AS is_contact,
        count(*) AS total,
        count(*) FILTER (WHERE status = 'shared') AS shared,
        count(*) FILTER (WHERE status = 'alone') AS unrecognised,
        count(*) FILTER (WHERE status = 'capped') AS hubs
    FROM core.identity_map
    GROUP BY namespace
),

edges AS (
    SELECT
        kind,
        count(*) AS total,
        count(*) FILTER (WHERE status = 'conflict') AS conflicts,
        count(*) FILTER (WHERE status = 'capped') AS capped,
        count(*) FILTER (WHERE status = 'retracted') AS retracted
    FROM core.identity_edges
    GROUP BY kind
),

figures AS (
    SELECT 1 AS place, 'multi_strong' AS figure, 'customers' AS subject, multi_strong AS affected, identified AS total
    FROM customers
    WHERE identified > 0
    UNION ALL
    SELECT 2, 'hanging', 'customers', hanging.customers, customers.large
    FROM customers
    CROSS JOIN hanging
    WHERE customers.identified > 0
    UNION ALL
    SELECT 3, 'shared', namespace, shared, total
    FROM identifiers
    WHERE is_visitor
    UNION ALL
    SELECT 4, 'unrecognised', namespace, unrecognised, total
    FROM identifiers
    WHERE is_visitor
    UNION ALL
    SELECT 5, 'hub', namespace, hubs, total
    FROM identifiers
    WHERE is_contact
    UNION ALL
    SELECT 6, 'conflict', kind, conflicts, total
    FROM edges
    UNION ALL
    SELECT 7, 'capped', kind, capped, total
    FROM edges
    UNION ALL
    SELECT 8, 'retracted', kind, retracted, total
    FROM edges
)

SELECT
    figure,
    subject,
    affected,
    total,
    rate(affected, total) AS share
FROM figures
ORDER BY
    place,
    subject
