-- Take back the timeline of touched customers, and remember that what follows from it has to be made anew.
--
-- Reads   touched

DELETE FROM core.events
WHERE customer_id IN (SELECT customer_id FROM touched);

DELETE FROM state.timeline
WHERE customer_id IN (SELECT customer_id FROM touched);

DELETE FROM state.moved;
