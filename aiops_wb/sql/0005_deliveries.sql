-- What left the house: each message under a key of its own, and how grave the event was in it.
-- A graver message of the same event is an update of it, under another key.

-- what the receiver was given; NULL in deliveries of older versions
ALTER TABLE deliveries ADD COLUMN key VARCHAR;
-- risk level of a case, severity of an alarm; NULL in deliveries of older versions
ALTER TABLE deliveries ADD COLUMN level VARCHAR;
