-- Take back the timeline of all customers.
DELETE FROM core.events;
DELETE FROM state.timeline;
DELETE FROM state.moved;
