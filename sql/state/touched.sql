-- The customers whose timeline has to be made anew, and the events of theirs that were not looked up yet.
--
-- Reads   gone, state.moved, state.timeline, owned (registered: fingerprint, customer_id of the events of `wanted`)

CREATE OR REPLACE TEMP TABLE touched AS
SELECT customer_id FROM gone
UNION
SELECT old_customer_id FROM state.moved WHERE old_customer_id IS NOT NULL
UNION
SELECT new_customer_id FROM state.moved WHERE new_customer_id IS NOT NULL
UNION
SELECT unnest([owned.customer_id, olds.customer_id]) AS customer_id
FROM owned
LEFT JOIN state.timeline AS olds USING (fingerprint)
WHERE owned.customer_id IS DISTINCT FROM olds.customer_id;

DELETE FROM touched WHERE customer_id IS NULL;

CREATE OR REPLACE TEMP TABLE picked AS
SELECT fingerprint
FROM state.timeline
SEMI JOIN touched USING (customer_id)
ANTI JOIN gone USING (fingerprint)
ANTI JOIN wanted USING (fingerprint);
